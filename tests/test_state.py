"""State that a model keeps, and subgraphs that it runs, survive a split.

Original and optimised model each run on one interpreter over a long sequence of inputs; every output of every step must
be the same, byte for byte. The optimised models here really have a region: operators of the main graph are split around
the ones that keep state.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from split_stages import every_compilation
from tiny_models import Builder, Op, T, build_model, joined

import tflm_split
from tflm_split.errors import UnrunnableError
from tflm_split.ir.graph import Graph
from tflm_split.split.regions import is_planned
from tflm_split.tflite.reader import read_model
from tflm_split.verify import compare as comparing

ROOT = Path(__file__).resolve().parents[1]
CORPUS = ROOT.parent / "shared" / "corpus"
STEPS = 64
needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of real models is not there")


def inputs_over_time(graph: Graph, seed: int = 5) -> list[tuple[np.ndarray, ...]]:
    """A stream of `STEPS` inputs: random and smooth in turn, and one that is held for a while."""
    entries = comparing.test_inputs(graph, STEPS, seed)
    return [entries[k - k % 8] if k % 16 >= 8 else entry for k, entry in enumerate(entries)]


def splits_and_stays_equal(path: Path) -> tflm_split.Result:
    """Optimises the model and compares it with the original over the whole sequence."""
    result = tflm_split.optimize(path, verify=False)
    assert_stays_equal(path, result.model)
    return result


def assert_stays_equal(path: Path, optimized: bytes) -> None:
    comparison = comparing.compare(read_model(path), read_model(optimized), inputs_over_time(read_model(path).graph))
    assert comparison.bit_exact, comparison.first_difference
    assert len(comparison.optimized_run.outputs) == STEPS


def branch(shape: tuple[int, ...], like: T, state_at: int | None) -> bytes:
    """x -> x + state, where the state, tensor `state_at`, stays what TFLM makes it, zero; without one, x -> x + x."""
    if state_at is None:
        return build_model([like, like], [Op("ADD", (0, 0), (1,))], [0], [1])
    unused = [like] * (state_at - 1)
    state = T(shape, like.dtype, like.scale, like.zero_point, is_variable=True)
    x, y = 0, state_at + 1
    return build_model([like, *unused, state, like], [Op("ADD", (x, state_at), (y,))], [x], [y])


def conditional_network(state_at: int | None) -> bytes:
    """Two convolutions, an IF with a branch that keeps state and one that does not, and two convolutions more."""
    b = Builder((1, 16, 12, 3), seed=4)
    before = b.conv(b.conv(b.input, 8), 4, stride=2)
    like = b.tensors[before]
    after = b._append(like)
    b._values[after] = b._values[before]
    last = b.conv(b.conv(after, 8), 4, stride=2)
    b.tensors.append(T((1,), "BOOL"))
    condition = len(b.tensors) - 1
    at = next(k for k, op in enumerate(b.operators) if after in op.inputs)
    b.operators.insert(
        at, Op("IF", (condition, before), (after,), {"then_subgraph_index": 1, "else_subgraph_index": 2})
    )
    main = build_model(b.tensors, b.operators, [condition, b.input], [last])
    shape = tuple(like.shape)
    return joined(main, branch(shape, like, state_at), branch(shape, like, None))


@pytest.mark.parametrize("state_at", [None, 1, 3, 5])
def test_regions_around_a_conditional_and_state_inside_it(state_at: int | None, tmp_path: Path) -> None:
    """TFLM does not allocate the state if the main graph's tensor of the same number is planned offline."""
    path = tmp_path / "conditional.tflite"
    path.write_bytes(conditional_network(state_at))
    result = splits_and_stays_equal(path)
    assert result.plan is not None
    assert len(result.plan.regions) == 2
    assert [k.kind for k in result.plan.split.graph.operators if k.index in result.plan.split.stock] == ["IF"]


def test_a_variable_is_never_planned() -> None:
    """A convolution, a variable added to it, a convolution of the sum: the ADD stays with TFLM, whose variable it is."""
    b = Builder((1, 12, 10, 2), seed=6)
    made = b.conv(b.conv(b.input, 6), 3, stride=2)
    like = b.tensors[made]
    state = b._append(T(like.shape, like.dtype, like.scale, like.zero_point, is_variable=True))
    b._values[state] = b._values[made]
    model = b.finish(b.conv(b.conv(b.add(made, state), 6), 4, stride=2))
    result = tflm_split.optimize(model, verify=False)
    assert result.plan is not None
    assert [r.reason for r in result.plan.split.refusals.values()] == ["its input 1 is a variable"]
    graph = read_model(result.model).graph
    (variable,) = (t.index for t in graph.tensors if t.is_variable)
    assert not is_planned(graph, variable)
    assert variable not in result.plan.offsets
    comparison = comparing.compare(
        read_model(model), read_model(result.model), inputs_over_time(read_model(model).graph)
    )
    assert comparison.bit_exact, comparison.first_difference


STREAMING = {
    "mlperf_strww_int8": 1,
    "micro_speech": 1,
    "mlonmcu_rnnoise_int8": 1,
    "mww_okay_nabu_v2": 1,
    "keyword_scrambled_8bit": 1,
}
"""Corpus model -> the fewest regions its split has."""


@needs_corpus
@pytest.mark.parametrize("name", STREAMING)
def test_a_streaming_model_stays_equal_over_a_long_sequence(name: str) -> None:
    result = splits_and_stays_equal(CORPUS / "models" / f"{name}.tflite")
    assert result.plan is not None
    assert len(result.plan.regions) >= STREAMING[name]


ODD = (
    "lr_call_once_mul", "lr_multi_signatures", "lr_multi_subgraphs_while", "lr_nested_while", "lr_resource_vars",
    "lr_mixed16x8", "lr_single_add_a16w8",
)  # fmt: skip
"""Models of control flow, variables and several signatures that TFLM runs."""


@needs_corpus
@pytest.mark.parametrize("name", ODD)
def test_an_odd_model_stays_equal_over_a_long_sequence(name: str) -> None:
    path = CORPUS / "odd" / f"{name}.tflite"
    result = splits_and_stays_equal(path)
    if result.plan is None:  # splitting gains nothing in its tiny arena, but must be right
        for compiled in every_compilation(path.read_bytes()):
            assert_stays_equal(path, compiled.optimized)
    before, after = read_model(path), read_model(result.model)
    assert (before.subgraph_count, before.signature_count) == (after.subgraph_count, after.signature_count)


@needs_corpus
def test_a_model_of_uint8_numbers_is_refused_with_what_to_do() -> None:
    path = CORPUS / "models" / "coral_mbv1_025_128_u8.tflite"
    with pytest.raises(UnrunnableError, match="convert the original float model again, to int8"):
        tflm_split.optimize(path, inputs=1)
