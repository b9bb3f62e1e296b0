"""The depth-first order can run. It makes rows when they are asked for, and none that nobody reads."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_networks import Network, networks
from split_stages import steps_of
from tiny_models import Builder

from tflm_split.schedule.orders import tuck_aliases
from tflm_split.schedule.step_graph import StepGraph
from tflm_split.schedule.streaming import streaming_order
from tflm_split.search.base import rewritten_split
from tflm_split.split.regions import Split, SplitOptions
from tflm_split.tflite.reader import read_model


def prepared(model: bytes, in_place: bool = False) -> tuple[Split, StepGraph, tuple[int, ...]]:
    split = rewritten_split(read_model(model).graph, SplitOptions(concatenate_in_place=in_place))
    return split, steps_of(split), tuck_aliases(split, range(len(split.graph.operators)))


def named(step_graph: StepGraph, order: list[int]) -> str:
    """Steps as letters of their node and numbers of their row."""
    return " ".join(f"{'abcdef'[step_graph.steps[s].node]}{step_graph.steps[s].row}" for s in order)


def streamed(model: bytes, first_node: int = 0) -> str:
    _, step_graph, nodes = prepared(model)
    return named(step_graph, streaming_order(step_graph, nodes[first_node:]))


def test_a_row_waits_for_the_rows_its_window_touches_and_for_no_other() -> None:
    b = Builder((1, 4, 4, 2))
    assert streamed(b.finish(b.conv(b.conv(b.input, 2), 2))) == "a0 a1 b0 a2 b1 a3 b2 b3"


def test_a_stride_pulls_two_rows_at_a_time() -> None:
    b = Builder((1, 6, 4, 2))
    last = b.conv(b.conv(b.input, 2, 1, 1), 2, 3, 3, 2, "VALID")
    assert streamed(b.finish(last)) == "a0 a1 a2 b0 a3 a4 b1"


def test_rows_that_a_stride_skips_are_never_computed() -> None:
    b = Builder((1, 7, 4, 2))
    assert streamed(b.finish(b.conv(b.conv(b.input, 2, 1, 1), 2, 1, 1, 3))) == "a0 b0 a3 b1 a6 b2"


def test_a_group_that_starts_later_finds_earlier_rows_made() -> None:
    b = Builder((1, 4, 4, 2))
    assert streamed(b.finish(b.conv(b.conv(b.input, 2), 2)), first_node=1) == "b0 b1 b2 b3"


def test_a_sum_takes_its_rows_in_order_as_they_come() -> None:
    b = Builder((1, 3, 4, 2))
    assert streamed(b.finish(b.mean(b.conv(b.input, 2, 1, 1)))) == "a0 b0 a1 b1 a2 b2"


def test_two_ends_advance_together_by_their_share_of_rows() -> None:
    b = Builder((1, 4, 4, 2))
    made = b.conv(b.input, 2, 1, 1)
    outputs = b.conv(made, 2, 1, 1), b.conv(made, 2, 1, 1, 2)
    assert streamed(b.finish(*outputs)) == "a0 b0 a1 b1 c0 a2 b2 a3 b3 c1"


def test_a_concatenation_at_the_end_copies_its_parts_side_by_side() -> None:
    n = Network((1, 3, 4, 2))
    joined = n.joined([n.conv(n.input, 2, 1, 1), n.conv(n.input, 2, 1, 1)], 3)
    assert streamed(n.finish(joined)) == "a0 c0 b0 c0 a1 c1 b1 c1 a2 c2 b2 c2"


def test_rows_only_a_later_group_needs_come_last() -> None:
    n = Network((1, 4, 4, 2))
    made = n.conv(n.input, 2, 1, 1)
    model = n.finish(n.conv(made, 2, 1, 1, 3), made)
    assert streamed(model) == "a0 b0 a3 b1 a1 a2"


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(networks(), st.booleans(), st.data())
def test_any_group_can_run_and_runs_all_that_is_needed_once(model: bytes, in_place: bool, data: st.DataObject) -> None:
    _, step_graph, nodes = prepared(model, in_place)
    start = data.draw(st.integers(0, len(nodes)))
    stop = data.draw(st.integers(start, len(nodes)))
    group = nodes[start:stop]
    order = streaming_order(step_graph, group)
    assert sorted(order) == sorted(s for n in group for s in step_graph.steps_of[n] if s in step_graph.needed)
    at = {s: i for i, s in enumerate(order)}
    for s in order:
        for d in step_graph.steps[s].depends:
            assert at.get(d, -1) < at[s]


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(networks(), st.booleans(), st.data())
def test_dropping_the_first_nodes_drops_their_steps_and_changes_nothing_else(
    model: bytes, in_place: bool, data: st.DataObject
) -> None:
    _, step_graph, nodes = prepared(model, in_place)
    stop = data.draw(st.integers(0, len(nodes)))
    whole = streaming_order(step_graph, nodes[:stop])
    for k in range(stop):
        kept = set(nodes[k:stop])
        assert streaming_order(step_graph, nodes[k:stop]) == [s for s in whole if step_graph.steps[s].node in kept]


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(networks(), st.booleans())
def test_needed_is_what_an_output_a_stock_operator_or_another_region_can_see(model: bytes, in_place: bool) -> None:
    split, step_graph, _ = prepared(model, in_place)
    for s, step in enumerate(step_graph.steps):
        if step.node in split.stock or step_graph.final.intersection(step.writes):
            assert s in step_graph.needed
        if s in step_graph.needed:
            assert step_graph.needed.issuperset(step.depends)
    if not split.stock:
        seen: set[int] = {s for s, step in enumerate(step_graph.steps) if step_graph.final.intersection(step.writes)}
        todo = list(seen)
        while todo:
            new = set(step_graph.steps[todo.pop()].depends) - seen
            seen |= new
            todo.extend(new)
        assert step_graph.needed == seen


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(networks(), st.booleans())
def test_a_step_reads_only_what_an_earlier_step_it_depends_on_has_written(model: bytes, in_place: bool) -> None:
    """Checked on the pieces: each piece that is read has an earlier writer, unless it was there from the start."""
    split, step_graph, _ = prepared(model, in_place)
    for step in step_graph.steps:
        before = {p for d in step.depends for p in step_graph.steps[d].writes}
        for p in step.reads:
            piece = step_graph.pieces[p]
            accumulator = step.row_op is not None and piece.storage == len(split.storages.storages) + step.row_op
            if accumulator:  # row 0 made it, and every row depends on the one before
                assert step_graph.producers[p] == (step_graph.steps_of[step.node][0],)
                assert step.row > 0
            else:
                assert p in before or p in step_graph.initial
