"""Blocks that run patch by patch: the same bytes, at less memory for more multiply-accumulates, where these are allowed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from random_networks import networks
from test_search import run_plan, start_of, strided_block
from test_split_equals_tflm import inputs_of
from tflm_server import TflmServer
from tiny_models import Builder

from tflm_split.errors import Refusal
from tflm_split.ir.graph import Graph
from tflm_split.lower.compile import compile_schedule
from tflm_split.report.record import plan_macs
from tflm_split.rewrite.tile_columns import COLUMNS, Tiles, tile_blocks
from tflm_split.search.evaluate import Evaluation, Evaluator
from tflm_split.search.limits import Limits
from tflm_split.search.propose.patches import ROW_AXIS, blocks_around, in_patches, propose
from tflm_split.search.refine import Search
from tflm_split.tflite.reader import read_model


@pytest.fixture(scope="module")
def tflm() -> Iterator[TflmServer]:
    server = TflmServer()
    yield server
    server.close()


def residual(height: int = 12, width: int = 16, channels: int = 8) -> bytes:
    """A residual block between two convolutions; its joint reads the block's input, too."""
    b = Builder((1, height, width, channels))
    x = b.conv(b.input, channels, 3, 3)
    x = b.add(x, b.conv(b.conv(x, channels, 3, 3), channels, 3, 3))
    return b.finish(b.conv(x, 4, 3, 3, (2, 2)))


def every_block(graph: Graph) -> list[tuple[int, ...]]:
    return list(blocks_around(graph, {t for op in graph.operators for t in op.outputs}, frozenset()))


def evaluated(model: bytes, operators: tuple[int, ...], tiles: int, rows: int) -> tuple[Evaluation, Evaluation]:
    """The network in rows, and with a block in patches."""
    evaluator = Evaluator(read_model(model).graph, "m7")
    start = start_of(model)
    decision = in_patches(start, operators, tiles, rows)
    assert decision is not None
    return start, evaluator.evaluate(replace(decision, cuts=(0,)))


def test_blocks_reach_through_residual_joints() -> None:
    graph = read_model(residual()).graph
    assert (0, 1, 2, 3) in every_block(graph)
    assert (1, 2) in every_block(graph)
    assert not any(block[-1] == 0 for block in every_block(graph))  # two others read it


@pytest.mark.parametrize(("tiles", "rows"), [(1, 2), (2, 1), (4, 3), (2, 12)])
def test_a_residual_block_in_patches_gives_the_same_bytes(tflm: TflmServer, tiles: int, rows: int) -> None:
    model = residual()
    start, found = evaluated(model, (0, 1, 2, 3), tiles, rows)
    assert found.decision.patches
    assert found.instructions > start.instructions
    plans = [compile_schedule(state.split, state.step_graph, state.schedule, 5) for state in (start, found)]
    assert plan_macs(plans[1]) > plan_macs(plans[0])
    original, optimized = run_plan(tflm, model, plans[1], inputs_of(model, 2))
    assert optimized.outputs == original.outputs
    assert optimized.measured_head_bytes == plans[1].planned_head_bytes


def test_each_tile_has_an_operator_for_each_of_the_block() -> None:
    graph = read_model(residual()).graph
    tiles = Tiles((0, 1, 2, 3), (0, 5, 11))
    after = tiles.applied(graph)
    blocks = tile_blocks(graph, after, tiles)
    widths = [after.tensors[after.operators[block[3]].outputs[0]].shape[COLUMNS] for block in blocks]
    assert widths == [5, 6, 5]
    for block in blocks:
        assert [after.operators[k].kind for k in block.values()] == [graph.operators[k].kind for k in block]


def test_patches_lower_the_peak_where_rows_alone_cannot() -> None:
    model = residual(16, 64, 8)
    start = start_of(model)
    evaluator = Evaluator(read_model(model).graph, "m7")
    limits = Limits(60, 2.5, allow_extra_macs=True)
    without = Search(evaluator, start, limits).run()[-1]
    patched = Search(evaluator, without, Limits(60, 2.5, allow_extra_macs=True, patches=True), start).run()[-1]
    assert patched.decision.patches
    input_bytes = sum(start.graph.tensors[t].bytes for t in start.graph.inputs)
    assert patched.live_peak_bytes - input_bytes < 0.7 * (without.live_peak_bytes - input_bytes)


def test_nothing_is_computed_twice_without_leave() -> None:
    start = start_of(strided_block())
    assert not list(propose(start, Limits(10, 1.05, max_instructions=1e12)))
    assert list(propose(start, Limits(10, 9.0, allow_extra_macs=True, patches=True, max_instructions=1e12)))


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data(), networks())
def test_random_blocks_of_random_networks_give_the_same_bytes(
    tflm: TflmServer, data: st.DataObject, model: bytes
) -> None:
    start = start_of(model)
    graph = start.graph
    blocks = [block for block in every_block(graph) if not start.split.stock.intersection(block)]
    assume(blocks)
    block = data.draw(st.sampled_from(blocks))
    shape = graph.tensors[graph.operators[block[-1]].outputs[0]].shape
    tiles = data.draw(st.integers(1, min(shape[COLUMNS], 4)))
    rows = data.draw(st.integers(1, shape[ROW_AXIS]))
    decision = in_patches(start, block, tiles, rows)
    assume(decision is not None)
    assert decision is not None
    evaluator = Evaluator(read_model(model).graph, "m7")
    try:
        found = evaluator.evaluate(replace(decision, cuts=(0,) if not start.split.stock else decision.cuts))
    except Refusal:
        assume(False)
    assume(len(found.schedule.steps) < 4000)
    plan = compile_schedule(found.split, found.step_graph, found.schedule, 5)
    original, optimized = run_plan(tflm, model, plan, inputs_of(model, 2))
    assert optimized.outputs == original.outputs
    assert optimized.measured_head_bytes == plan.planned_head_bytes
