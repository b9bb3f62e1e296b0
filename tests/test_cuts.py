"""The best cuts are the best of all cuts. A simulator that shares no code measures them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from random_networks import Network, networks
from simulated_crowd import simulated_peak_bytes
from split_stages import scheduled, steps_of
from tiny_models import Builder

from tflm_split.schedule.cuts import best_cuts
from tflm_split.schedule.lives import live_bytes, live_bytes_in_place, lives
from tflm_split.schedule.orders import candidate_orders, tuck_aliases
from tflm_split.schedule.step_arrays import Alive
from tflm_split.schedule.step_graph import StepGraph
from tflm_split.schedule.streaming import streaming_order
from tflm_split.search.base import rewritten_split
from tflm_split.split.regions import Split, SplitOptions
from tflm_split.tflite.reader import read_model


def every_cut(nodes: Sequence[int], stock: frozenset[int]) -> Iterator[list[Sequence[int]]]:
    """All ways to cut `nodes` into groups in which stock operators are alone."""
    for count in range(len(nodes)):
        for inner in combinations(range(1, len(nodes)), count):
            edges = [0, *inner, len(nodes)]
            groups = [nodes[a:b] for a, b in pairwise(edges)]
            if all(len(g) == 1 or not stock.intersection(g) for g in groups):
                yield groups


def order_of(step_graph: StepGraph, groups: Sequence[Sequence[int]]) -> list[int]:
    return [s for group in groups for s in streaming_order(step_graph, group)]


def prepared(model: bytes, in_place: bool = False) -> tuple[Split, StepGraph, tuple[int, ...]]:
    split = rewritten_split(read_model(model).graph, SplitOptions(concatenate_in_place=in_place))
    return split, steps_of(split), tuck_aliases(split, range(len(split.graph.operators)))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(networks(max_operators=6), st.booleans())
def test_no_cut_of_the_order_is_better(model: bytes, in_place: bool) -> None:
    split, step_graph, nodes = prepared(model, in_place)
    assume(0 < len(nodes) <= 8)
    found = best_cuts(step_graph, nodes, split.stock)
    least = min(
        simulated_peak_bytes(step_graph, order_of(step_graph, groups)) for groups in every_cut(nodes, split.stock)
    )
    assert found.live_peak_bytes == least
    assert simulated_peak_bytes(step_graph, found.steps) == least


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(networks(), st.booleans())
def test_neither_layer_by_layer_nor_streaming_all_is_better(model: bytes, in_place: bool) -> None:
    split, step_graph, nodes = prepared(model, in_place)
    found = best_cuts(step_graph, nodes, split.stock)
    assert simulated_peak_bytes(step_graph, order_of(step_graph, [[n] for n in nodes])) >= found.live_peak_bytes
    if not split.stock:
        assert simulated_peak_bytes(step_graph, order_of(step_graph, [nodes])) >= found.live_peak_bytes


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(networks(), st.booleans())
def test_a_schedule_says_what_it_is(model: bytes, in_place: bool) -> None:
    split, step_graph, nodes = prepared(model, in_place)
    for order in candidate_orders(split, step_graph):
        assert sorted(order) == sorted(nodes)
        found = best_cuts(step_graph, order, split.stock)
        assert found.nodes == order
        edges = [*found.cuts, len(order)]
        assert edges[0] == 0
        assert edges == sorted(set(edges))
        groups = [order[a:b] for a, b in pairwise(edges)]
        assert all(len(g) == 1 or not split.stock.intersection(g) for g in groups)
        assert list(found.steps) == order_of(step_graph, groups)
        assert sorted(found.steps) == sorted(step_graph.needed)


def test_a_wide_map_is_streamed_and_a_small_one_is_not() -> None:
    """Large early maps are worth streaming. Where line buffers are larger than the maps, whole operators win."""
    b = Builder((1, 32, 16, 2))
    wide = b.conv(b.conv(b.input, 8), 8, stride=2)
    small = b.conv(b.conv(b.conv(wide, 4, 5, 5, 4), 4, 5, 5), 4, 5, 5)
    split, step_graph, nodes = prepared(b.finish(b.mean(small)))
    found = best_cuts(step_graph, nodes, split.stock)
    assert 1 not in found.cuts  # the first two convolutions run together
    whole = simulated_peak_bytes(step_graph, order_of(step_graph, [[n] for n in nodes]))
    assert found.live_peak_bytes < whole // 2


def test_a_stock_operator_is_a_group_of_its_own() -> None:
    n = Network((1, 8, 8, 4))
    last = n.conv(n.conv(n.reversed(n.conv(n.conv(n.input, 4), 4)), 4), 4)
    split, step_graph, nodes = prepared(n.finish(last))
    found = best_cuts(step_graph, nodes, split.stock)
    at = nodes.index(2)
    assert {at, at + 1} <= set(found.cuts)


def test_the_same_model_gives_the_same_schedule() -> None:
    b = Builder((1, 16, 8, 4))
    model = b.finish(b.mean(b.conv(b.add(b.conv(b.input, 4), b.depthwise(b.input)), 4)))
    split = rewritten_split(read_model(model).graph, SplitOptions())
    assert scheduled(split)[1] == scheduled(split)[1]


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(networks(), st.booleans(), st.data())
def test_the_loops_in_c_and_in_python_give_the_same(model: bytes, in_place: bool, data: st.DataObject) -> None:
    split, step_graph, nodes = prepared(model, in_place)
    streamed = frozenset(data.draw(st.sets(st.sampled_from(range(len(split.storages.storages))), max_size=1)))
    in_c, in_python = (best_cuts(step_graph, nodes, split.stock, streamed, use) for use in (True, False))
    assert in_c == in_python
    group = nodes[data.draw(st.integers(0, len(nodes) - 1)) :]
    assert streaming_order(step_graph, group) == streaming_order(step_graph, group, use_native=False)
    alive, lived = Alive(step_graph, in_c.steps), lives(step_graph, in_c.steps)
    assert alive.apart.tolist() == live_bytes(step_graph, len(in_c.steps), lived).tolist()
    assert alive.in_place.tolist() == live_bytes_in_place(step_graph, in_c.steps, use_native=False).tolist()
    assert {p: (alive.start[p], alive.stop[p]) for p in lived} == lived
    assert all(alive.start[p] < 0 for p in range(len(step_graph.pieces)) if p not in lived)
