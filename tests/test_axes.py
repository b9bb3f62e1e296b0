"""The table of connected axes is true: TFLM shows, element by element, which outputs an element of an operand reaches.

Random operators of every kind are run on an input, and on the same input with one element changed. What changes in the
output must lie where the table allows it. Where the table follows every axis, all that it allows must change.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from axes_examples import EXAMPLES, Example, floats, numbers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tflm_server import TflmServer
from tiny_models import DTYPES, T, single_op

from tflm_split.ir.graph import Graph, Operator, Quantization, Tensor
from tflm_split.split.axes.loops import Loops
from tflm_split.split.axes.table import AXES, loops_of
from tflm_split.split.operators import RESHAPES, SPLITTERS
from tflm_split.split.operators.byte_function import BYTE_FUNCTION
from tflm_split.split.operators.filled import FILLED
from tflm_split.split.operators.lstm import LSTM_STATES
from tflm_split.split.operators.picked import PICK
from tflm_split.split.operators.recut import RECUT
from tflm_split.split.operators.state import KEEP_STATE
from tflm_split.split.operators.stream import EMIT_ROWS, FETCH_ROWS
from tflm_split.split.operators.svdf import SVDF_FEATURE, SVDF_TIME
from tflm_split.split.operators.tall_convolution import TALL_CONV
from tflm_split.tflite.reader import read_model
from tflm_split.verify.graph_oracle import run_graph_outputs

Mask = NDArray[np.bool_]
SETTINGS = settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))

APPROXIMATE = {("RESIZE_BILINEAR", 0), ("TRANSPOSE_CONV", 1)}
"""(kind, operand) with effects too small for eight bits, or with pixels that the kernel leaves out."""


@pytest.fixture(scope="module")
def tflm() -> Iterator[TflmServer]:
    server = TflmServer()
    yield server
    server.close()


def allowed(loops: Loops, position: int, element: tuple[int, ...], shape: tuple[int, ...]) -> Mask:
    """The output elements that may change with one element of an operand."""
    mask = np.ones(shape, bool)
    for axis, index in enumerate(element):
        follows = loops.followed(position, axis)
        if follows is not None and follows.loop < loops.rank:
            along = [index in follows.indices(o) for o in range(shape[follows.loop])]
            mask &= np.array(along).reshape([-1 if a == follows.loop else 1 for a in range(len(shape))])
    return mask


def is_complete(loops: Loops, position: int, operand: tuple[int, ...]) -> bool:
    """Whether the table follows every axis of an operand, and tears none of the output's."""
    return not loops.torn and all(loops.followed(position, a) for a, size in enumerate(operand) if size > 1)


def values(rng: np.random.Generator, t: T, example: Example) -> list[NDArray[Any]]:
    """Two inputs. Each number is positive in one and negative in the other, where it may be negative."""
    if t.dtype == "INT32":
        size = example.operands[0].shape[example.options["axis"]]
        return [np.asarray(rng.integers(0, size, t.shape), np.int32) for _ in range(2)]
    made = rng.uniform(0.2, 1.5, t.shape) * (1 if example.positive else rng.choice([-1, 1], t.shape))
    if t.dtype == "INT8":
        return [np.asarray(np.clip(np.round(made * 80 * sign), -128, 127), np.int8) for sign in (1, -1)]
    return [np.asarray(made * (1 if example.positive else sign), DTYPES[t.dtype]) for sign in (1, -1)]


def others(t: T, value: Any, example: Example) -> list[Any]:
    """The values that an element is changed to."""
    if t.dtype == "INT32":
        return [k for k in range(example.operands[0].shape[example.options["axis"]]) if k != value]
    if t.dtype == "INT8":
        return [v for v in (-128, 127) if v != value]
    return [50, 0.01] if example.positive else [50, -50, value / 2]


@pytest.mark.parametrize("kind", sorted(EXAMPLES))
def test_what_an_element_reaches_is_what_the_table_says(tflm: TflmServer, kind: str) -> None:
    @SETTINGS
    @given(st.data())
    def check(data: st.DataObject) -> None:
        check_example(tflm, EXAMPLES[kind](data.draw, kind), data.draw(st.integers(0, 999)))

    check()


def check_example(tflm: TflmServer, example: Example, seed: int) -> None:
    model = example.model
    graph = read_model(model).graph
    (op,) = graph.operators
    rng = np.random.default_rng(seed)
    given_at = [k for k, t in enumerate(example.operands) if t.data is None]
    bases = list(zip(*(values(rng, example.operands[k], example) for k in given_at), strict=True))
    if len(given_at) > 1:  # a product is the same when both of its operands are negated
        bases.append((bases[1][0], *bases[0][1:]))
    runs: list[list[NDArray[Any]]] = [list(base) for base in bases]
    changes: list[tuple[int, int, tuple[int, ...]]] = []
    for b, base in enumerate(bases):
        for at, k in enumerate(given_at):
            for element in np.ndindex(*example.operands[k].shape):
                for value in others(example.operands[k], base[at][element], example):
                    changed = base[at].copy()
                    changed[element] = value
                    runs.append([*base[:at], changed, *base[at + 1 :]])
                    changes.append((b, k, element))
    results = tflm.run(model, runs).outputs
    for o, t in enumerate(example.outputs):
        loops, shape = loops_of(graph, op, o), tuple(t.shape)
        found = [np.frombuffer(r[o], DTYPES[t.dtype]).reshape(shape) for r in results]
        reached: dict[tuple[int, tuple[int, ...]], Mask] = {}
        for (b, k, element), result in zip(changes, found[len(bases) :], strict=True):
            mask = reached.setdefault((k, element), np.zeros(shape, bool))
            mask |= result != found[b]
        for (k, element), mask in reached.items():
            assert k in loops.operands, f"nothing is known of operand {k}"
            expected = allowed(loops, k, element, shape)
            assert not (mask & ~expected).any(), f"operand {k} reaches further"
            if is_exact(example, loops, k):
                assert (mask == expected).all(), f"operand {k} does not reach as far"


def is_exact(example: Example, loops: Loops, position: int) -> bool:
    """Whether the table is expected to name only what is really reached."""
    operand = example.operands[position]
    known = (example.kind, position) not in APPROXIMATE and operand.dtype != "INT32"
    return known and is_complete(loops, position, tuple(operand.shape))


def test_every_kind_that_is_cut_has_an_entry_and_an_example() -> None:
    assert AXES.keys() >= SPLITTERS.keys() | RESHAPES
    unanswered = {FILLED, PICK, RECUT, "MIRROR_PAD", KEEP_STATE, LSTM_STATES, SVDF_FEATURE, SVDF_TIME}
    without = {BYTE_FUNCTION, EMIT_ROWS, FETCH_ROWS, TALL_CONV, *unanswered}
    assert EXAMPLES.keys() == AXES.keys() - without


# What no file holds, and so no TFLM: asked of the numpy interpreter.


def made_by_rewriting(kind: str, source: tuple[int, ...], target: tuple[int, ...], **options: Any) -> Graph:
    scale = Quantization((0.05,), (0,))
    ends = Tensor(0, "in", source, "INT8", scale), Tensor(1, "out", target, "INT8", scale)
    weights = Tensor(2, "w", (2, 3, 3, 2), "INT8", scale, bytes(range(60, 96)))
    op = Operator(0, kind, (0, 2) if kind == "CONV_2D" else (0,), (1,), options)
    return Graph("rewritten", (*ends, weights), (op,), (0,), (1,)).checked()


@pytest.mark.parametrize(
    "graph",
    [
        made_by_rewriting(BYTE_FUNCTION, (2, 3, 4), (2, 3, 4), table=bytes(range(255, -1, -1)).hex()),
        made_by_rewriting(
            "CONV_2D", (1, 5, 4, 2), (1, 3, 5, 2),
            padding="EXPLICIT", pad_top=2, pad_bottom=0, pad_left=1, pad_right=2, stride_h=2, stride_w=1,
            dilation_h_factor=1, dilation_w_factor=1, fused_activation_function="NONE",
        ),
    ],
    ids=["byte function", "convolution with padding folded in"],
)  # fmt: skip
def test_operators_made_by_rewriting(graph: Graph) -> None:
    shapes = [graph.tensors[t].shape for t in (0, 1)]
    base = np.zeros(shapes[0], np.int8)
    before = run_graph_outputs(graph, [base])[0]
    loops = loops_of(graph, graph.operators[0])
    for element in np.ndindex(*shapes[0]):
        changed = base.copy()
        changed[element] = 100
        mask = run_graph_outputs(graph, [changed])[0] != before
        assert (mask == allowed(loops, 0, element, shapes[1])).all()


# What the table is made of.


def relations(graph: Graph, position: int = 0) -> tuple[str, str]:
    """(relations of an operand's axes to the output, relations of the output's axes to the operand), by name."""
    (op,) = graph.operators
    loops = loops_of(graph, op)
    of_input = [loops.of_input(position, a) for a in range(len(graph.tensors[op.inputs[position]].shape))]
    of_output = [loops.of_output(position, a) for a in range(loops.rank)]
    return " ".join(r.value for r in of_input), " ".join(r.value for r in of_output)


def single(kind: str, operands: Sequence[T], output: T, **options: Any) -> Graph:
    return read_model(single_op(kind, operands, output, **options)).graph


def test_a_convolution_has_windows_and_a_sum() -> None:
    window = {"padding": "SAME", "stride_h": 1, "stride_w": 2}
    graph = single("CONV_2D", [floats(1, 8, 8, 4), floats(6, 3, 1, 4)], floats(1, 8, 4, 6), **window)
    assert relations(graph) == ("identity window window reduction", "identity window window broadcast")
    assert relations(graph, 1) == ("identity none none reduction", "broadcast broadcast broadcast identity")
    rows, columns = (loops_of(graph, graph.operators[0]).followed(0, axis) for axis in (1, 2))
    assert rows is not None and rows.halo == 2
    assert columns is not None and columns.halo == 0


def test_a_product_of_matrices_shares_its_sum() -> None:
    graph = single("BATCH_MATMUL", [floats(2, 8, 4), floats(2, 6, 4)], floats(2, 8, 6), adj_x=False, adj_y=True)
    assert relations(graph) == ("identity identity reduction", "identity identity broadcast")
    assert relations(graph, 1) == ("identity identity reduction", "identity broadcast identity")


def test_a_softmax_needs_its_whole_row() -> None:
    graph = single("SOFTMAX", [floats(2, 8)], floats(2, 8), beta=1.0)
    assert relations(graph) == ("identity reduction", "identity reduction")


def test_a_fully_connected_layer_over_tokens_keeps_them() -> None:
    tokens = single("FULLY_CONNECTED", [floats(8, 4), floats(6, 4)], floats(8, 6))
    assert relations(tokens) == ("identity reduction", "identity broadcast")


def test_a_fully_connected_layer_over_a_map_takes_in_rows() -> None:
    graph = single("FULLY_CONNECTED", [floats(1, 4, 2, 3), floats(6, 24)], floats(1, 6))
    assert relations(graph)[0] == "none reduction none none"
    rows = loops_of(graph, graph.operators[0]).followed(0, 1)
    assert rows is not None
    assert [list(rows.indices(i)) for i in (0, 5, 6, 23)] == [[0], [0], [1], [3]]


def test_a_reshape_keeps_the_outermost_of_joined_axes() -> None:
    heads = single("RESHAPE", [floats(1, 8, 12), numbers(1, 8, 3, 4)], floats(1, 8, 3, 4), new_shape=[1, 8, 3, 4])
    assert relations(heads) == ("none identity window", "broadcast identity window none")
    pixels = single("RESHAPE", [floats(1, 4, 2, 3), numbers(8, 3)], floats(8, 3), new_shape=[8, 3])
    assert relations(pixels) == ("none window none identity", "window identity")
    torn = single("RESHAPE", [floats(4, 3), numbers(6, 2)], floats(6, 2), new_shape=[6, 2])
    assert relations(torn) == ("none none", "none none")


def test_what_is_reduced_and_what_stays() -> None:
    graph = single("MEAN", [floats(2, 8, 4), numbers(1)], floats(2, 4), keep_dims=False)
    assert relations(graph) == ("identity reduction identity", "identity identity")


def test_a_pool_over_the_whole_map_reduces_it() -> None:
    window = {"padding": "VALID", "stride_h": 1, "stride_w": 1, "filter_height": 4, "filter_width": 3}
    graph = single("MAX_POOL_2D", [floats(1, 4, 6, 2)], floats(1, 1, 4, 2), **window)
    assert relations(graph) == ("identity reduction window identity", "identity broadcast window identity")
    rows = loops_of(graph, graph.operators[0]).followed(0, 1)
    assert rows is not None and rows.loop == 4


def test_nothing_is_known_of_other_kinds_or_of_shapes_that_do_not_fit() -> None:
    unknown = single("NEG", [floats(2, 3)], floats(2, 3))
    assert relations(unknown) == ("none none", "none none")
    misfit = single("FULLY_CONNECTED", [floats(2, 3), floats(4, 3)], floats(3, 4))
    assert relations(misfit) == ("none none", "none none")
    dynamic = single("TRANSPOSE", [floats(2, 3), T((2,), "INT32")], floats(3, 2))
    assert relations(dynamic) == ("none none", "none none")
