"""Chains of windows in tiles of columns: exact, and no column is computed twice unless that is allowed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from test_search import run_plan, searched
from test_split_equals_tflm import inputs_of
from tflm_server import TflmServer
from tiny_models import Builder, T

from tflm_split.errors import ModelError
from tflm_split.ir.graph import Graph
from tflm_split.lower.compile import compile_schedule
from tflm_split.rewrite.tile_columns import Tiles, can_be_tiled
from tflm_split.schedule.cuts import Schedule, best_cuts
from tflm_split.schedule.orders import tuck_aliases
from tflm_split.schedule.step_builder import build_step_graph
from tflm_split.search.limits import Limits
from tflm_split.search.propose.tiles import tiles_to_try
from tflm_split.search.rewritten import renumbering, rescheduled
from tflm_split.split.regions import SplitOptions, split_graph
from tflm_split.tflite.reader import read_model


@pytest.fixture(scope="module")
def tflm() -> Iterator[TflmServer]:
    server = TflmServer()
    yield server
    server.close()


def pooled(width: int = 32) -> bytes:
    """A wide map, pooled twice; each pool keeps a quarter."""
    b = Builder((1, 16, width, 1))
    x = b.pool(b.conv(b.input, 16), 2, 2, 2, kind="MAX_POOL_2D")
    return b.finish(b.mean(b.pool(b.conv(x, 8), 2, 2, 2, kind="MAX_POOL_2D")))


def shapes(graph: Graph) -> list[tuple[str, int]]:
    """By operator: its kind and the columns of what it makes."""
    return [(op.kind, graph.tensors[op.outputs[0]].shape[2]) for op in graph.operators]


def test_a_tile_reads_the_columns_its_windows_touch() -> None:
    b = Builder((1, 8, 12, 2))
    x = b.pool(b.conv(b.input, 4, 3, 3), 2, 2, 2)
    graph = read_model(b.finish(x)).graph
    tiled = Tiles((0, 1), (0, 2)).applied(graph)
    assert shapes(tiled) == [
        ("SLICE", 5), ("CONV_2D", 4), ("AVERAGE_POOL_2D", 2),
        ("SLICE", 9), ("CONV_2D", 8), ("AVERAGE_POOL_2D", 4),
        ("CONCATENATION", 6),
    ]  # fmt: skip
    pads = [(op.options["pad_left"], op.options["pad_right"]) for op in tiled.operators if op.kind == "CONV_2D"]
    assert pads == [(1, 0), (0, 1)]
    assert split_graph(tiled, SplitOptions(concatenate_in_place=True)).stock == frozenset()


def test_what_others_read_or_ends_nowhere_cannot_be_tiled() -> None:
    b = Builder((1, 8, 12, 2))
    x = b.conv(b.input, 4)
    graph = read_model(b.finish(b.conv(x, 4), b.conv(x, 4))).graph
    with pytest.raises(ModelError, match="is read by others"):
        Tiles((0, 1), (0, 4)).applied(graph)
    graph = read_model(pooled()).graph
    with pytest.raises(ModelError, match="no columns"):
        Tiles((0, 1), (0, 4, 4)).applied(graph)
    with pytest.raises(ModelError, match="ends no chain"):
        Tiles((3, 4), (0, 1)).applied(graph)


def test_maps_of_several_samples_cannot_be_tiled() -> None:
    """A slice of columns is of one sample."""
    b = Builder((1, 8, 12, 2))
    made = b.unary("RELU", b.conv(b.input, 4))
    b.tensors = [_of_three(t) if t.data is None else t for t in b.tensors]
    graph = read_model(b.finish(made)).graph
    assert not any(can_be_tiled(graph, op) for op in graph.operators)
    with pytest.raises(ModelError, match="ends no chain"):
        Tiles((0, 1), (0, 4)).applied(graph)


def _of_three(tensor: T) -> T:
    return replace(tensor, shape=(3, *tensor.shape[1:]))


def test_tiles_take_the_place_of_their_chain_in_a_schedule() -> None:
    graph = read_model(pooled()).graph
    after = Tiles((0, 1), (0, 8)).applied(graph)
    assert renumbering(graph, after) == {1: 6, 2: 7, 3: 8, 4: 9}
    found = rescheduled(Schedule((0, 1, 2, 3, 4), (0, 2), (), 0), graph, after)
    assert found.nodes == tuple(range(10))
    assert found.groups() == [(0, 1, 2, 3, 4, 5, 6), (7, 8, 9)]


def test_no_column_is_made_twice_unless_that_is_allowed() -> None:
    graph = read_model(pooled()).graph
    tensors = [op.outputs[0] for op in graph.operators]
    assert {tiles.operators for tiles in tiles_to_try(graph, tensors[0], frozenset(), False)} == {(0, 1)}
    chains = {tiles.operators for tiles in tiles_to_try(graph, tensors[0], frozenset(), True)}
    assert chains == {(0, 1), (0, 1, 2), (0, 1, 2, 3)}
    assert list(tiles_to_try(graph, tensors[0], frozenset({1}), True)) == []
    assert list(tiles_to_try(graph, tensors[-1], frozenset(), True)) == []


def test_rows_in_front_of_a_pool_are_never_whole(tflm: TflmServer) -> None:
    model = pooled()
    front = searched(model, Limits(200, 1.3))
    found = min(front, key=lambda state: state.live_peak_bytes)
    assert any(isinstance(rewrite, Tiles) for rewrite in found.decision.rewrites)
    assert found.live_peak_bytes < 0.8 * front[0].live_peak_bytes
    macs = [sum(op.macs_per_step * op.steps for op in state.split.row_ops) for state in (front[0], found)]
    assert macs[0] == macs[1]
    inputs = inputs_of(model, 2)
    for state in front:
        plan = compile_schedule(state.split, state.step_graph, state.schedule, 5)
        original, optimized = run_plan(tflm, model, plan, inputs)
        assert optimized.outputs == original.outputs


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data(), st.booleans())
def test_random_chains_in_random_tiles_give_the_same_bytes(tflm: TflmServer, data: st.DataObject, joined: bool) -> None:
    number = st.integers
    b = Builder((1, data.draw(number(4, 10)), data.draw(number(6, 20)), data.draw(number(1, 4))))
    x = b.input
    for _ in range(length := data.draw(number(1, 3))):
        kernel = data.draw(number(1, 3)), data.draw(number(1, 3))
        stride = data.draw(number(1, 2)), data.draw(number(1, 2))
        assume(all(size >= k for size, k in zip(b.shape(x)[1:3], kernel, strict=True)))
        padding = data.draw(st.sampled_from(["SAME", "VALID"]))
        match data.draw(st.sampled_from(["conv", "depthwise", "AVERAGE_POOL_2D", "MAX_POOL_2D"])):
            case "conv":
                x = b.conv(x, data.draw(number(1, 6)), *kernel, stride, padding)
            case "depthwise":
                x = b.depthwise(x, *kernel, stride, padding)
            case kind:
                x = b.pool(x, *kernel, stride, padding, kind=kind)
    width = b.shape(x)[2]
    assume(b.shape(x)[1] > 1)
    edges = sorted({0, *data.draw(st.lists(number(1, max(width - 1, 1)), max_size=3))} & set(range(width)))
    model = b.finish(b.conv(x, 2, 1, 1))
    graph = Tiles(tuple(range(length)), tuple(edges)).applied(read_model(model).graph)
    split = split_graph(graph, SplitOptions(concatenate_in_place=joined))
    assert split.stock == frozenset()
    step_graph = build_step_graph(split)
    order = tuck_aliases(split, range(len(graph.operators)))
    plan = compile_schedule(split, step_graph, best_cuts(step_graph, order, split.stock), 5)
    original, optimized = run_plan(tflm, model, plan, inputs_of(model, 2))
    assert optimized.outputs == original.outputs
    assert optimized.measured_head_bytes == plan.planned_head_bytes
