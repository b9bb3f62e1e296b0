"""A chain of element-wise operators from 8 bits to 8 bits becomes one table, equal to TFLM's for all 256 inputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from split_stages import every_compilation
from tflm_server import TflmServer
from tiny_models import Op, T, build_model

from tflm_split.ir.graph import Graph
from tflm_split.kinds import OpKind
from tflm_split.rewrite.fuse_byte_functions import fuse_byte_functions
from tflm_split.search.base import rewritten_split
from tflm_split.split.regions import SplitOptions, split_graph
from tflm_split.tflite.reader import read_model
from tflm_split.verify.graph_oracle import run_graph_outputs

EVERY_BYTE = np.arange(-128, 128, dtype=np.int8).reshape(1, 16, 16, 1)
SHAPE = EVERY_BYTE.shape


@pytest.fixture(scope="module")
def tflm() -> Iterator[TflmServer]:
    server = TflmServer()
    yield server
    server.close()


def int8(scale: float = 0.05, zero_point: int = 3) -> T:
    return T(SHAPE, scale=float(np.float32(scale)), zero_point=zero_point)


FLOAT = T(SHAPE, "FLOAT32")


def chain(kinds: Sequence[str], tensors: Sequence[T], outputs: Sequence[int] = (), **options: Any) -> bytes:
    """A model: an operator of kinds[k] makes tensors[k + 1] of tensors[k]. `ADD` and its kin take a constant scalar."""
    found, operators = list(tensors), []
    for k, kind in enumerate(kinds):
        inputs = [k]
        if kind in ("ADD", "MUL", "MAXIMUM"):
            inputs.append(len(found))
            found.append(T((), scale=0.04, zero_point=-2, data=np.int8(37)))
        operators.append(Op(kind, inputs, [k + 1], options if kind == "LEAKY_RELU" else {}))
    return build_model(found, operators, [0], outputs or [len(kinds)])


def fused(model: bytes, accept: bool = True) -> Graph:
    return fuse_byte_functions(read_model(model).graph, lambda graph, op: accept)


def table_of(graph: Graph) -> np.ndarray:
    (op,) = graph.operators
    assert op.kind == "BYTE_FUNCTION"
    return np.frombuffer(bytes.fromhex(str(op.options["table"])), np.int8)


def check_table(tflm: TflmServer, model: bytes) -> None:
    """One table is left, with the values that TFLM computes. The oracle and the compiled model compute the same."""
    graph = fused(model)
    (expected,) = tflm.run(model, [[EVERY_BYTE]]).outputs[0]
    assert table_of(graph)[EVERY_BYTE.view(np.uint8)].tobytes() == expected
    assert run_graph_outputs(graph, [EVERY_BYTE])[0].tobytes() == expected
    compiled = list(every_compilation(model))
    assert compiled
    for c in compiled:
        assert [op.kind for op in c.plan.split.row_ops] == [OpKind.LUT]
        assert tflm.run(c.optimized, [[EVERY_BYTE]]).outputs[0] == (expected,)


@pytest.mark.parametrize("kind", ["NEG", "ABS", "SQUARE", "FLOOR", "CEIL", "ROUND", "RELU", "RELU6"])
@pytest.mark.parametrize(("scale", "zero_point"), [(0.05, 3), (0.5, -128), (1 / 3, 127), (2.5, 0)])
def test_through_one_float_operator(tflm: TflmServer, kind: str, scale: float, zero_point: int) -> None:
    kinds = ["DEQUANTIZE", kind, "QUANTIZE"]
    check_table(tflm, chain(kinds, [int8(scale, zero_point), FLOAT, FLOAT, int8(0.11, -17)]))


@pytest.mark.parametrize(("kind", "zero_point"), [("SQRT", -128), ("RSQRT", -128)])
def test_through_a_root(tflm: TflmServer, kind: str, zero_point: int) -> None:
    """1 is added first, so that every float is above 0."""
    kinds = ["ADD", "DEQUANTIZE", kind, "QUANTIZE"]
    tensors = [int8(0.02, -128), int8(0.05, -148 + 20), FLOAT, FLOAT, int8(0.01, -128)]
    model = chain(kinds, tensors)
    check_table(tflm, model)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.sampled_from(["NEG", "ABS", "SQUARE", "FLOOR", "ROUND", "RELU", "RELU6"]), min_size=1, max_size=4),
    st.lists(st.tuples(st.floats(1e-3, 2), st.integers(-128, 127)), min_size=2, max_size=2),
)
def test_through_several_float_operators(
    tflm: TflmServer, kinds: list[str], quantization: list[tuple[float, int]]
) -> None:
    (scale, zero_point), (last_scale, _) = quantization
    largest = max(127 - zero_point, 128 + zero_point) * scale
    for kind in kinds:
        largest = largest**2 if kind == "SQUARE" else min(largest, 6) if kind == "RELU6" else largest + 1
    assume(largest / last_scale < 2**30)  # C does not define the result beyond int32, so it is not fused
    first, last = (int8(*q) for q in quantization)
    model = chain(["DEQUANTIZE", *kinds, "QUANTIZE"], [first, *[FLOAT] * (len(kinds) + 1), last])
    check_table(tflm, model)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.sampled_from(["RELU", "QUANTIZE", "ABS", "LEAKY_RELU", "ADD", "MUL", "MAXIMUM"]), min_size=2, max_size=4
    ),
    st.lists(st.tuples(st.floats(0.01, 0.1), st.integers(-100, 100)), min_size=5, max_size=5),
)
def test_int8_functions_after_each_other(
    tflm: TflmServer, kinds: list[str], quantization: list[tuple[float, int]]
) -> None:
    tensors = [int8(*quantization[0])]
    for kind, q in zip(kinds, quantization[1:], strict=False):
        like = tensors[-1]  # MAXIMUM keeps its input's quantisation
        tensors.append(T(SHAPE, scale=like.scale, zero_point=like.zero_point) if kind == "MAXIMUM" else int8(*q))
    check_table(tflm, chain(kinds, tensors, alpha=0.2))


@pytest.mark.parametrize("kind", ["EXP", "TANH", "LOGISTIC", "ELU", "SIN", "COS"])
@pytest.mark.parametrize("after", [(), ("NEG",), ("RELU",)])
def test_through_a_function_of_the_library(tflm: TflmServer, kind: str, after: tuple[str, ...]) -> None:
    """The bytes are the same whatever its last bits are, and so are TFLM's."""
    kinds = ["DEQUANTIZE", kind, *after, "QUANTIZE"]
    check_table(tflm, chain(kinds, [int8(0.031, 3), *[FLOAT] * (len(kinds) - 1), int8(0.0107, -5)]))


def test_the_sources_of_a_function_are_all_it_was_made_of() -> None:
    graph = fused(chain(["DEQUANTIZE", "NEG", "QUANTIZE"], [int8(), FLOAT, FLOAT, int8()]))
    assert (graph.operators[0].source, graph.operators[0].inputs) == ((0, 1, 2), (0,))
    assert graph.operators[0].outputs == (3,)


def test_a_chain_is_cut_where_it_leaves_bytes_for_good() -> None:
    """The first two operators are a function of a byte. EXP is the C library's, and differs from library to library."""
    graph = fused(chain(["RELU", "QUANTIZE", "DEQUANTIZE", "EXP"], [int8(), int8(), int8(0.1), FLOAT, FLOAT]))
    assert [op.kind for op in graph.operators] == ["BYTE_FUNCTION", "DEQUANTIZE", "EXP"]


TIE = float(np.exp(1.0) / 10.5)
"""exp(1) is 10.5 times this, as far as a float32 can tell: whether 10 or 11 is next depends on the last bit."""
LEFT = {
    "one operator": (["RELU"], [int8(), int8()], ()),
    "a float end": (["DEQUANTIZE", "NEG"], [int8(), FLOAT, FLOAT], ()),
    "a middle that is an output": (["RELU", "QUANTIZE"], [int8(), int8(), int8(0.1)], (1, 2)),
    "not a number": (["DEQUANTIZE", "SQRT", "QUANTIZE"], [int8(), FLOAT, FLOAT, int8()], ()),
    "an infinity": (["DEQUANTIZE", "RSQRT", "QUANTIZE"], [int8(0.1, -128), FLOAT, FLOAT, int8()], ()),
    "beyond int32": (["DEQUANTIZE", "NEG", "QUANTIZE"], [int8(1e9), FLOAT, FLOAT, int8(1e-3)], ()),
    "a tie of the library's": (["DEQUANTIZE", "EXP", "QUANTIZE"], [int8(0.5, 0), FLOAT, FLOAT, int8(TIE, 0)], ()),
}


@pytest.mark.parametrize("case", LEFT)
def test_left_as_it_is(case: str) -> None:
    kinds, tensors, outputs = LEFT[case]
    graph = fused(chain(kinds, tensors, outputs))
    assert [op.kind for op in graph.operators] == kinds


def test_a_middle_with_two_readers_is_kept() -> None:
    tensors = [int8(), int8(0.06), int8(0.07), int8(0.08)]
    operators = [Op("RELU", [0], [1]), Op("ABS", [1], [2]), Op("QUANTIZE", [1], [3])]
    assert [op.kind for op in fused(build_model(tensors, operators, [0], [2, 3])).operators] == [
        "RELU",
        "ABS",
        "QUANTIZE",
    ]


def test_what_nobody_accepts_stays() -> None:
    model = chain(["RELU", "QUANTIZE"], [int8(), int8(), int8(0.1)])
    assert [op.kind for op in fused(model, accept=False).operators] == ["RELU", "QUANTIZE"]


def test_a_function_that_would_stay_stock_is_undone() -> None:
    """Five dimensions have no rows: nothing here can be split, so nothing may be rewritten."""
    shape = (1, 2, 2, 4, 16)
    tensors = [T(shape, scale=s, zero_point=0) for s in (0.05, 0.06, 0.07)]
    model = build_model(tensors, [Op("RELU", [0], [1]), Op("QUANTIZE", [1], [2])], [0], [2])
    split = rewritten_split(read_model(model).graph, SplitOptions())
    assert [split.graph.operators[k].kind for k in sorted(split.stock)] == ["RELU", "QUANTIZE"]


def test_a_kind_of_ours_is_refused_without_its_table() -> None:
    graph = fused(chain(["RELU", "QUANTIZE"], [int8(), int8(), int8(0.1)]))
    assert not split_graph(graph).stock
    bare = graph.with_operators((replace(graph.operators[0], options={}),))
    assert split_graph(bare).refusals[0].reason == "it has no table"
