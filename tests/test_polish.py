"""Steps are reordered only where that lowers the live peak. A simulator that shares no code compares all orders."""

from __future__ import annotations

from itertools import combinations, pairwise
from pathlib import Path

import pytest
from crowd_bound import order_lower_bound
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from random_networks import Network, networks
from simulated_crowd import can_run, simulated_peak_bytes
from split_stages import scheduled, steps_of
from tiny_models import Builder

from tflm_split.schedule.cuts import Schedule, best_cuts
from tflm_split.schedule.min_cut import UNCUTTABLE, FlowNetwork
from tflm_split.schedule.orders import candidate_orders
from tflm_split.schedule.polish import Polish
from tflm_split.schedule.step_graph import StepGraph
from tflm_split.search.base import rewritten_split
from tflm_split.split.regions import Split, SplitOptions
from tflm_split.tflite.reader import read_model

CORPUS = Path(__file__).resolve().parents[2] / "shared" / "corpus" / "models"


def polished(step_graph: StepGraph, schedule: Schedule, stock: frozenset[int], effort: int) -> Schedule:
    """`schedule`, or its steps in another order with a lower live peak. `effort` counts steps that are tried."""
    polish = Polish(step_graph, schedule, stock)
    polish.run(effort)
    return polish.schedule


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(networks())
def test_in_c_and_in_python_the_same_windows_are_divided_in_the_same_way(model: bytes) -> None:
    split, step_graph = prepared(model)
    assume(split.row_ops)
    schedule = best_cuts(step_graph, candidate_orders(split, step_graph)[0], split.stock)
    in_c, in_python = (Polish(step_graph, schedule, split.stock, use_native) for use_native in (True, False))
    for effort in (50, 2000):
        in_c.run(effort)
        in_python.run(effort)
        assert in_c.schedule == in_python.schedule
        assert in_c.exhausted == in_python.exhausted
        assert list(in_c.divisions.order) == list(in_python.divisions.order)
        assert list(in_c.divisions.live) == list(in_python.divisions.live)


def prepared(model: bytes, in_place: bool = False) -> tuple[Split, StepGraph]:
    split = rewritten_split(read_model(model).graph, SplitOptions(concatenate_in_place=in_place))
    return split, steps_of(split)


def least_peak_bytes(step_graph: StepGraph, most_states: int) -> int | None:
    """The least live peak over all orders of steps, by sets of executed steps; None when there are too many sets.

    Overlaps are left out, because what they share depends on the order.
    """
    needed = sorted(step_graph.needed)
    bit = {s: 1 << k for k, s in enumerate(needed)}
    depends = {s: sum(bit[d] for d in step_graph.steps[s].depends) for s in needed}
    pieces = []
    for p, piece in enumerate(step_graph.pieces):
        writers = sum(bit[s] for s in step_graph.producers[p] if s in bit)
        users = writers | sum(bit[s] for s in step_graph.readers[p] if s in bit)
        if users or p in step_graph.initial & step_graph.final:
            pieces.append((piece.bytes, writers, users, p in step_graph.initial, p in step_graph.final))

    def live(before: int, after: int) -> int:
        """Bytes live in the step that leads from one set to the other."""
        return sum(
            b
            for b, writers, users, at_start, kept in pieces
            if (at_start or writers & after) and (kept or users & ~before)
        )

    states = {0: 0}
    for _ in needed:
        following: dict[int, int] = {}
        for done, peak in states.items():
            for s in needed:
                if not done & bit[s] and not depends[s] & ~done:
                    now = done | bit[s]
                    high = max(peak, live(done, now))
                    following[now] = min(following.get(now, high), high)
        states = following
        if len(states) > most_states:
            return None
    return min(states.values())


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(networks(), st.booleans())
def test_a_polished_schedule_runs_the_same_steps_in_an_order_of_the_peak_it_states(
    model: bytes, in_place: bool
) -> None:
    split, step_graph = prepared(model, in_place)
    for order in candidate_orders(split, step_graph):
        before = best_cuts(step_graph, order, split.stock)
        after = polished(step_graph, before, split.stock, 3000)
        assert can_run(step_graph, after.steps)
        assert after.live_peak_bytes <= before.live_peak_bytes
        assert simulated_peak_bytes(step_graph, after.steps) == after.live_peak_bytes
        assert (after.nodes, after.cuts) == (before.nodes, before.cuts)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(networks(), st.booleans())
def test_every_step_stays_between_the_same_stock_operators(model: bytes, in_place: bool) -> None:
    split, step_graph = prepared(model, in_place)
    assume(split.stock)
    before = best_cuts(step_graph, candidate_orders(split, step_graph)[0], split.stock)
    after = polished(step_graph, before, split.stock, 3000)
    assert _between_stock(step_graph, split, before) == _between_stock(step_graph, split, after)


def _between_stock(step_graph: StepGraph, split: Split, schedule: Schedule) -> list[set[int]]:
    runs: list[set[int]] = [set()]
    for s in schedule.steps:
        if step_graph.steps[s].node in split.stock:
            runs += [{s}, set()]
        else:
            runs[-1].add(s)
    return runs


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(networks(max_operators=4))
def test_the_best_order_of_all_is_between_the_bound_and_the_polished_one(model: bytes) -> None:
    split = rewritten_split(read_model(model).graph, SplitOptions())
    step_graph = steps_of(split)
    assume(not any(step.overlaps for step in step_graph.steps) and not split.stock)
    least = least_peak_bytes(step_graph, 300)
    assume(least is not None)
    before = best_cuts(step_graph, candidate_orders(split, step_graph)[0], split.stock)
    after = polished(step_graph, before, split.stock, 3000)
    assert order_lower_bound(step_graph, after) <= (least or 0) <= after.live_peak_bytes


def two_depths(rows: int) -> bytes:
    """A map read by a chain of four convolutions and, at its end, once more: its rows wait for the deepest reader."""
    n = Network((1, rows, 4, 4))
    made = n.conv(n.input, 8, 1, 1)
    deep = n.conv(n.conv(n.conv(n.conv(made, 8), 8), 8), 8)
    short = n.conv(made, 2, 1, 1)
    return n.finish(n.conv(n.add(n.conv(deep, 2, 1, 1), short), 2, 1, 1))


def test_rows_wait_in_their_smallest_form() -> None:
    """Depth-first, the short branch is made when it is asked for, so wide rows wait. Polished, narrow rows wait."""
    split, step_graph = prepared(two_depths(12))
    _, before = scheduled(split)
    after = polished(step_graph, before, split.stock, 10_000)
    assert after.live_peak_bytes < before.live_peak_bytes
    assert simulated_peak_bytes(step_graph, after.steps) == after.live_peak_bytes


def test_the_bound_is_what_the_widest_step_cannot_do_without() -> None:
    """The first row of convolution 3 needs two rows of convolution 2, and these three of convolution 1 (4, 8, 16 bytes)."""
    b = Builder((1, 8, 4, 1))
    split, step_graph = prepared(b.finish(b.conv(b.conv(b.conv(b.input, 4), 2), 1)))
    _, found = scheduled(split)
    assert order_lower_bound(step_graph, found) <= found.live_peak_bytes
    assert found.live_peak_bytes - order_lower_bound(step_graph, found) < 16  # less than one row of the widest map


def test_without_effort_nothing_changes_place() -> None:
    split, step_graph = prepared(two_depths(8))
    _, before = scheduled(split)
    assert polished(step_graph, before, split.stock, 0) == before


def test_the_same_schedule_is_polished_the_same_way() -> None:
    split, step_graph = prepared(two_depths(8))
    _, before = scheduled(split)
    assert polished(step_graph, before, split.stock, 5000) == polished(step_graph, before, split.stock, 5000)


def test_a_plain_chain_has_nothing_to_polish() -> None:
    b = Builder((1, 16, 4, 2))
    split, step_graph = prepared(b.finish(b.conv(b.conv(b.conv(b.input, 4), 4), 4)))
    _, before = scheduled(split)
    assert polished(step_graph, before, split.stock, 5000) == before


@pytest.mark.skipif(not CORPUS.exists(), reason="the corpus of models is not here")
def test_a_randomly_wired_network_falls_by_a_seventh() -> None:
    split = rewritten_split(read_model(CORPUS / "gen_randwire_ws32_a.tflite").graph, SplitOptions())
    step_graph, before = scheduled(split)
    after = polished(step_graph, before, split.stock, 60_000)
    assert can_run(step_graph, after.steps)
    assert simulated_peak_bytes(step_graph, after.steps) == after.live_peak_bytes
    assert after.live_peak_bytes < 6 / 7 * before.live_peak_bytes


arcs = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.sampled_from([1, 2, 3, 7, UNCUTTABLE])), max_size=14)


@settings(max_examples=200, deadline=None)
@given(arcs, st.booleans())
def test_a_minimum_cut_is_the_cheapest_of_all_cuts(found: list[tuple[int, int, int]], use_native: bool) -> None:
    source, sink = 0, 1
    sides = [{source, *inner} for k in range(5) for inner in combinations(range(2, 6), k)]
    costs = {frozenset(s): sum(c for a, b, c in found if a in s and b not in s) for s in sides}
    least = min(costs.values())
    assume(least < UNCUTTABLE)
    network = FlowNetwork(6)
    for tail, head, capacity in found:
        network.arc(tail, head, capacity)
    capacity, smallest, largest = network.minimum_cut(source, sink, use_native)
    cheapest = [side for side, cost in costs.items() if cost == least]
    assert capacity == least
    assert smallest == frozenset.intersection(*cheapest)
    assert largest == frozenset.union(*cheapest)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 39), st.integers(0, 39), st.integers(0, 30)), max_size=200))
def test_both_ways_of_cutting_give_the_same_cuts(found: list[tuple[int, int, int]]) -> None:
    network = FlowNetwork(40)
    for tail, head, capacity in found:
        network.arc(tail, head, capacity)
    assert network.minimum_cut(0, 1) == network.minimum_cut(0, 1, use_native=False)


def test_a_chain_is_cut_at_its_narrowest_arc() -> None:
    network = FlowNetwork(2)
    middle = [0, *(network.node() for _ in range(3)), 1]
    for (tail, head), capacity in zip(pairwise(middle), (5, 2, 4, 2), strict=True):
        network.arc(tail, head, capacity)
    assert network.minimum_cut(0, 1) == (2, {0, 2}, {0, 2, 3, 4})
