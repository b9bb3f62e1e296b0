"""BATCH_MATMUL by rows: each row of the product from its own row of the left operand and all of its batch's right one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from split_stages import every_compilation, planned
from tflm_server import TflmServer
from tiny_models import Builder, T, single_op

from tflm_split.errors import InternalError, ProgramError, Refusal
from tflm_split.ir.graph import Graph
from tflm_split.kinds import OpKind
from tflm_split.program.check import check_program
from tflm_split.program.types import Program
from tflm_split.split.operators import split_operator
from tflm_split.split.row_op import RowOp
from tflm_split.split.rows import RowShape
from tflm_split.tflite.reader import read_model
from tflm_split.verify.graph_oracle import run_graph_outputs
from tflm_split.verify.replay import replay


@pytest.fixture(scope="module")
def tflm() -> Iterator[TflmServer]:
    server = TflmServer()
    yield server
    server.close()


def random_inputs(graph: Graph, count: int = 3) -> list[list[np.ndarray]]:
    rng = np.random.default_rng(7)
    return [
        [rng.integers(-128, 128, graph.tensors[t].shape).astype(np.int8) for t in graph.inputs] for _ in range(count)
    ]


def check(tflm: TflmServer, model: bytes, *, all_split: bool = True) -> None:
    graph = read_model(model).graph
    inputs = random_inputs(graph)
    original = tflm.run(model, inputs)
    for entry, outputs in zip(inputs, original.outputs, strict=True):
        assert [y.tobytes() for y in run_graph_outputs(graph, entry)] == list(outputs)
    compiled = list(every_compilation(model))
    assert compiled
    for c in compiled:
        assert not all_split or not c.plan.split.stock, {k: r.reason for k, r in c.plan.split.refusals.items()}
        optimized = tflm.run(c.optimized, inputs)
        assert optimized.outputs == original.outputs
        assert optimized.measured_head_bytes == c.plan.planned_head_bytes


def row_op(model: bytes) -> RowOp:
    graph = read_model(model).graph
    (op,) = split_operator(graph, graph.operators[-1])
    return op


BATCHES = [(), (1,), (3,), (1, 1), (1, 3)]


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from(BATCHES), st.tuples(st.integers(1, 40), st.integers(1, 21), st.integers(1, 40)),
    st.booleans(), st.sampled_from(["both", "left", "right"]), st.integers(0, 999),
)  # fmt: skip
def test_products_of_any_shape(
    tflm: TflmServer,
    batch: tuple[int, ...],
    sizes: tuple[int, int, int],
    transposed: bool,
    computed: str,
    seed: int,
) -> None:
    """Both operands are `computed` at run time, or one is and the other is a constant."""
    m, depth, n = sizes
    left, right = (*batch, m, depth), (*batch, n, depth) if transposed else (*batch, depth, n)
    b = Builder(right if computed == "right" else left, seed=seed)
    first = b.quantized_constant(left) if computed == "right" else b.input
    second = (
        b.quantized_constant(right) if computed == "left" else b.input if computed == "right" else b.add_input(right)
    )
    check(tflm, b.finish(b.matmul(first, second, transposed=transposed)))


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from([(3,), (1, 3)]), st.integers(1, 3), st.booleans(), st.booleans(), st.integers(0, 999))
def test_one_right_operand_for_all_batches(
    tflm: TflmServer, batch: tuple[int, ...], right_rank: int, transposed: bool, constant: bool, seed: int
) -> None:
    rank = min(right_rank + 1, len(batch) + 2)
    matrix = (7, 5) if transposed else (5, 7)
    b = Builder((*batch, 4, 5), seed=seed)
    shape = ((1,) * (rank - 2)) + matrix
    right = b.quantized_constant(shape) if constant else b.add_input(shape)
    check(tflm, b.finish(b.matmul(b.input, right, transposed=transposed)))


@pytest.mark.parametrize("seed", range(12))
def test_the_multiplier_is_a_double(tflm: TflmServer, seed: int) -> None:
    """With these scales a multiplier rounded to float32 would give other bytes; see test_rounding_ties.py."""
    rng = np.random.default_rng(seed)
    output, right = (float(np.float32(rng.uniform(0.003, 0.05))) for _ in range(2))
    odd, value = 2 * int(rng.integers(1, 300)) + 1, int(rng.integers(20, 127))
    left = float(np.float32(output * odd / (2 * value) / right))
    one = T((1, 1), scale=right, data=np.ones((1, 1), np.int8))
    every_byte = np.arange(-128, 128, dtype=np.int8).reshape(256, 1)
    model = single_op("BATCH_MATMUL", [T((256, 1), scale=left), one], T((256, 1), scale=output))
    (expected,) = run_graph_outputs(read_model(model).graph, [every_byte])
    assert tflm.run(model, [[every_byte]]).outputs[0][0] == expected.tobytes()


def test_tokens_read_their_own_row_and_all_keys() -> None:
    b = Builder((1, 6, 4))
    op = row_op(b.finish(b.matmul(b.input, b.add_input((1, 9, 4)), transposed=True)))
    assert op.output_shape == RowShape(6, 1, 9)
    assert [[list(r.window.rows(row, r.shape.rows)) for row in (0, 5)] for r in op.reads] == [
        [[0], [5]],
        [list(range(9))] * 2,
    ]
    assert op.macs_per_step == 4 * 9


def test_a_batch_reads_its_own_right_operand() -> None:
    b = Builder((3, 2, 4))
    op = row_op(b.finish(b.matmul(b.input, b.add_input((3, 4, 5)))))
    assert [list(op.reads[1].window.rows(row, 12)) for row in range(6)] == [
        [0, 1, 2, 3], [0, 1, 2, 3], [4, 5, 6, 7], [4, 5, 6, 7], [8, 9, 10, 11], [8, 9, 10, 11],
    ]  # fmt: skip


def test_heads_are_rows_of_a_map() -> None:
    """A map is cut along H: a step makes all tokens of one head."""
    b = Builder((1, 2, 6, 4))
    op = row_op(b.finish(b.matmul(b.input, b.add_input((1, 2, 9, 4)), transposed=True)))
    assert op.output_shape == RowShape(2, 6, 9)
    assert [list(op.reads[1].window.rows(row, 2)) for row in range(2)] == [[0], [1]]
    assert op.macs_per_step == 6 * 4 * 9


def act(*shape: int, dtype: str = "INT8") -> T:
    return T(shape, dtype, scale=0.1, zero_point=0)


REFUSALS = {
    "adj_x": (act(1, 4, 6), act(1, 4, 5), act(1, 6, 5), {"adj_x": True}, "its left operand is transposed"),
    "int16": (act(6, 4, dtype="INT16"), act(4, 5, dtype="INT16"), act(6, 5, dtype="INT16"), {}, None),
    "vector": (act(6, 4), act(4), act(6, 5), {}, "its input 1 is no matrix"),
    "depth": (act(6, 4), act(3, 5), act(6, 5), {}, "a row of 4 meets columns of 3"),
    "output": (act(6, 4), act(4, 5), act(6, 6), {}, "its output does not fit its inputs"),
    "left broadcast": (act(1, 6, 4), act(3, 4, 5), act(3, 6, 5), {}, "its operands have batches [1] and [3]"),
    "partly shared": (act(1, 2, 6, 4), act(1, 3, 4, 5), act(1, 2, 6, 5), {}, "its operands have batches [1, 2] and [1, 3]"),
    "other batches": (act(2, 6, 4), act(2, 4, 5), act(1, 2, 6, 5), {}, "its output has other batches"),
    "several maps": (act(2, 2, 6, 4), act(2, 2, 4, 5), act(2, 2, 6, 5), {}, "batch is 2, needs 1"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSALS)
def test_refusal(case: str) -> None:
    left, right, output, options, reason = REFUSALS[case]
    graph = read_model(single_op("BATCH_MATMUL", [left, right], output, **options)).graph
    with pytest.raises(Refusal) as refused:
        split_operator(graph, graph.operators[0])
    assert reason in (None, refused.value.reason)


def attention_program() -> Program:
    """One region: the scores of 6 queries and 6 keys, multiplied with 6 values."""
    b = Builder((1, 6, 4), seed=1)
    scores = b.softmax(b.matmul(b.input, b.add_input((1, 6, 4)), transposed=True))
    plan = planned(read_model(b.finish(b.matmul(scores, b.add_input((1, 6, 4))))).graph)
    (region,) = plan.regions
    return region.program


def test_the_replay_misses_a_key_that_is_overwritten() -> None:
    program = attention_program()
    replay(program)
    first = next(k for k, op in enumerate(program.ops) if op.kind is OpKind.BATCH_MATMUL)
    keys = program.views[program.ops[first].input2 or 0].storage
    moved = replace(program.storages[keys], addresses=(*program.storages[keys].addresses[:-1], 0))
    storages = tuple(moved if s == keys else storage for s, storage in enumerate(program.storages))
    with pytest.raises(InternalError):
        replay(replace(program, storages=storages))


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"left_rows": 0}, "no batches"),
        ({"left_rows": 4}, "no batches"),
        ({"right_rows": 4}, "its second input has 6 rows for batches of 4"),
        ({"right_rows": 3}, "its second input has 6 rows for batches of 3"),
        ({"transposed": 2}, "its transposed is 2"),
        ({"transposed": 0}, "needs 6 to 4"),
        ({"right_zero_point": 128}, "its right_zero_point is 128"),
        ({"shift": 31}, "its shift is 31"),
    ],
)
def test_a_product_that_does_not_fit_is_found(change: dict[str, int], fault: str) -> None:
    program = attention_program()
    k, op = next((k, op) for k, op in enumerate(program.ops) if op.kind is OpKind.BATCH_MATMUL)
    changed = replace(op, params={**op.params, **change})
    broken = replace(program, ops=(*program.ops[:k], changed, *program.ops[k + 1 :]))
    with pytest.raises(ProgramError, match=fault):
        check_program(broken)
