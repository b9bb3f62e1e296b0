"""TRANSPOSE by rows. Where rows stay rows, an output row reads one input row; else it gathers from all of them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from split_stages import every_compilation
from tflm_server import TflmServer
from tiny_models import Op, T, build_model, single_op

from tflm_split.errors import Refusal
from tflm_split.split.operators import split_operator
from tflm_split.split.row_op import RowOp
from tflm_split.tflite.reader import read_model
from tflm_split.verify.graph_oracle import run_graph_outputs


@pytest.fixture(scope="module")
def tflm() -> Iterator[TflmServer]:
    server = TflmServer()
    yield server
    server.close()


def between_tables(shape: tuple[int, ...], order: tuple[int, ...]) -> bytes:
    """RELU, TRANSPOSE, RELU: input and output of the TRANSPOSE are cut into rows."""
    turned = tuple(shape[a] for a in order)
    quantized = {"scale": 0.1, "zero_point": -3}
    tensors = [T(shape, **quantized), T(shape, **quantized), T(turned, **quantized), T(turned, **quantized)]
    tensors.append(T((len(order),), "INT32", data=np.array(order, np.int32)))
    operators = [Op("RELU", [0], [1]), Op("TRANSPOSE", [1, 4], [2]), Op("RELU", [2], [3])]
    return build_model(tensors, operators, [0], [3])


def row_op(shape: tuple[int, ...], order: tuple[int, ...]) -> RowOp:
    graph = read_model(between_tables(shape, order)).graph
    (op,) = split_operator(graph, graph.operators[1])
    return op


def check(tflm: TflmServer, shape: tuple[int, ...], order: tuple[int, ...]) -> None:
    model = between_tables(shape, order)
    x = np.random.default_rng(0).integers(-128, 128, shape).astype(np.int8)
    expected = tflm.run(model, [[x]]).outputs[0]
    assert run_graph_outputs(read_model(model).graph, [x])[0].tobytes() == expected[0]
    compiled = list(every_compilation(model))
    assert compiled
    for c in compiled:
        assert not c.plan.split.stock, {k: r.reason for k, r in c.plan.split.refusals.items()}
        assert tflm.run(c.optimized, [[x]]).outputs[0] == expected


@pytest.mark.parametrize("order", [(0, *p) for p in permutations((1, 2, 3))])
@pytest.mark.parametrize("shape", [(1, 4, 5, 3), (1, 1, 5, 3), (1, 4, 1, 3), (1, 4, 5, 1)])
def test_every_order_of_a_map(tflm: TflmServer, shape: tuple[int, ...], order: tuple[int, ...]) -> None:
    check(tflm, shape, order)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.integers(1, 6), min_size=2, max_size=4), st.randoms(use_true_random=False))
def test_any_shape_that_is_not_torn_apart(tflm: TflmServer, sizes: list[int], random: object) -> None:
    shape = (1, *sizes[1:]) if len(sizes) > 2 else tuple(sizes)
    for order in permutations(range(len(shape))):
        try:
            row_op(shape, order)
        except Refusal:
            assert order[0] != 0  # the batch of 1 is no longer the first
            continue
        check(tflm, shape, order)
        return


def test_rows_that_stay_are_read_one_by_one() -> None:
    op = row_op((1, 4, 5, 3), (0, 1, 3, 2))
    assert [list(op.reads[0].window.rows(row, 4)) for row in range(4)] == [[0], [1], [2], [3]]
    assert (op.output_shape.rows, op.output_shape.columns, op.output_shape.channels) == (4, 3, 5)


def test_rows_that_become_channels_are_all_read() -> None:
    op = row_op((1, 4, 5, 3), (0, 3, 2, 1))
    assert [list(op.reads[0].window.rows(row, 4)) for row in range(3)] == [[0, 1, 2, 3]] * 3
    assert [op.params[name] for name in ("row_axis", "column_axis", "channel_axis")] == [2, 1, 0]


def test_a_token_matrix_is_turned() -> None:
    assert row_op((6, 4), (1, 0)).params == {"row_axis": 2, "column_axis": 1, "channel_axis": 0}
    assert row_op((1, 6, 4), (0, 2, 1)).params == {"row_axis": 2, "column_axis": 1, "channel_axis": 0}


def order_of(*order: int) -> T:
    return T((len(order),), "INT32", data=np.array(order, np.int32))


REFUSALS = {
    "no permutation": ((2, 3), order_of(0, 0), (2, 3), "its permutation is [0, 0]"),
    "rows of two axes": ((2, 3, 4), order_of(0, 2, 1), (2, 4, 3), "its permutation [0, 2, 1] tears rows of [2, 3, 4] apart"),
    "other shape": ((2, 3), order_of(1, 0), (2, 3), "its output is not its input transposed"),
    "several maps": ((2, 2, 2, 2), order_of(0, 2, 1, 3), (2, 2, 2, 2), "batch is 2, needs 1"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSALS)
def test_refusal(case: str) -> None:
    source, order, target, reason = REFUSALS[case]
    model = single_op("TRANSPOSE", [T(source, scale=0.1), order], T(target, scale=0.1))
    graph = read_model(model).graph
    with pytest.raises(Refusal) as refused:
        split_operator(graph, graph.operators[0])
    assert refused.value.reason == reason
