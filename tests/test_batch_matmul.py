"""BATCH_MATMUL by rows: each row of the product from its own row of the left operand and all of its batch's right one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from split_stages import every_compilation
from tflm_server import TflmServer
from tiny_models import Builder, T, single_op

from tflm_split.ir.graph import Graph
from tflm_split.split.operators import split_operator
from tflm_split.split.row_op import RowOp
from tflm_split.tflite.reader import read_model
from tflm_split.verify.graph_oracle import run_graph_outputs


@pytest.fixture(scope="module")
def tflm() -> Iterator[TflmServer]:
    server = TflmServer()
    yield server
    server.close()


def random_inputs(graph: Graph, count: int = 3) -> list[list[np.ndarray]]:
    rng = np.random.default_rng(7)
    return [[rng.integers(-128, 128, graph.tensors[t].shape).astype(np.int8) for t in graph.inputs] for _ in range(count)]


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


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from([(), (1,), (3,), (1, 1), (1, 3), (2, 2)]),
    st.integers(1, 40), st.integers(1, 21), st.integers(1, 40),
    st.booleans(), st.sampled_from(["both", "left", "right"]), st.booleans(), st.integers(0, 999),
)  # fmt: skip
def test_products_of_any_shape(
    tflm: TflmServer,
    batch: tuple[int, ...],
    m: int,
    depth: int,
    n: int,
    transposed: bool,
    activations: str,
    shared: bool,
    seed: int,
) -> None:
    left = (*batch, m, depth)
    outer = () if shared and activations != "left" else batch
    right = (*outer, n, depth) if transposed else (*outer, depth, n)
    if batch[:1] == (2,) or (shared and outer != batch and len(batch) == 2 and batch[1] > 1):
        return  # several maps, or heads that are rows of the left operand only
    b = Builder(right if activations == "right" else left, seed=seed)
    first = b.quantized_constant(left) if activations == "right" else b.input
    second = b.quantized_constant(right) if activations == "left" else b.input
    if activations == "both":
        second = b.add_input(right)
    check(tflm, b.finish(b.matmul(first, second, transposed=transposed)))
