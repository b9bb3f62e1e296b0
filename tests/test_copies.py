"""Operators done twice: exact, in fewer bytes, and only where it costs no more than the user allows."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import pytest
from hypothesis import HealthCheck, assume, given, settings
from random_networks import Network, networks
from test_search import evaluator_of, run_plan, searched
from test_split_equals_tflm import inputs_of
from tflm_server import TflmServer
from tiny_models import Builder

from tflm_split.errors import ModelError
from tflm_split.lower.compile import compile_schedule
from tflm_split.options import DEFAULT_SLOWDOWN, Options
from tflm_split.plan.progress import Teller
from tflm_split.report.record import plan_macs
from tflm_split.rewrite.copy_operators import Copy
from tflm_split.schedule.cuts import Schedule, best_cuts
from tflm_split.schedule.orders import tuck_aliases
from tflm_split.schedule.step_builder import build_step_graph
from tflm_split.search.base import rewritten_split
from tflm_split.search.candidates import best_plan
from tflm_split.search.evaluate import stay_inside
from tflm_split.search.limits import Limits
from tflm_split.search.propose.copies import copies_to_try
from tflm_split.search.rewritten import renumbering, rescheduled
from tflm_split.split.regions import SplitOptions, split_graph
from tflm_split.tflite.reader import read_model


@pytest.fixture(scope="module")
def tflm() -> Iterator[TflmServer]:
    server = TflmServer()
    yield server
    server.close()


def excited(kind: str = "CONV") -> bytes:
    """A map four times as large as the input. It is summed up as a whole before it is scaled (squeeze and excitation).

    Operators: 0 makes the map, 1 and 2 make the gate, 3 scales the map, 4 sums up.
    """
    b = Builder((1, 24, 24, 4))
    wide = b.conv(b.input, 16) if kind == "CONV" else b.pad(b.input, [(0, 0), (12, 12), (12, 12), (0, 0)])
    scales = b.conv(b.mean(wide, keep_dims=True), b.shape(wide)[-1], 1, 1)
    return b.finish(b.mean(b.add(wide, scales, kind="MUL")))


def test_copies_stand_before_the_first_reader_and_the_others_keep_what_they_read() -> None:
    b = Builder((1, 4, 4, 2))
    made = b.conv(b.input, 2)
    early = b.conv(made, 2)
    graph = read_model(b.finish(b.add(made, early))).graph
    changed = Copy((0,), (2,)).applied(graph)
    assert [op.kind for op in changed.operators] == ["CONV_2D", "CONV_2D", "CONV_2D", "ADD"]
    again = changed.operators[2]
    assert again.inputs == graph.operators[0].inputs
    assert again.source == graph.operators[0].source
    assert again.outputs[0] == len(graph.tensors)
    assert changed.operators[1].inputs == graph.operators[1].inputs
    assert again.outputs[0] in changed.operators[3].inputs
    assert made not in changed.operators[3].inputs


def test_a_schedule_runs_copies_right_before_their_first_reader_and_in_its_group() -> None:
    b = Builder((1, 4, 4, 2))
    made = b.conv(b.input, 2)
    early = b.conv(b.conv(made, 2), 2)
    graph = read_model(b.finish(b.add(made, early))).graph
    after = Copy((0,), (3,)).applied(graph)
    assert renumbering(graph, after) == {0: 0, 1: 1, 2: 2, 3: 4}
    found = rescheduled(Schedule((0, 1, 2, 3), (0, 2, 3), (), 0), graph, after)
    assert found.nodes == (0, 1, 2, 3, 4)
    assert found.groups() == [(0, 1), (2,), (3, 4)]


def test_a_copy_after_its_reader_is_an_error() -> None:
    b = Builder((1, 4, 4, 2))
    graph = read_model(b.finish(b.conv(b.conv(b.input, 2), 2))).graph
    with pytest.raises(ModelError, match="after what reads it"):
        Copy((1,), (1,)).applied(graph)


def test_what_is_copied_reads_less_than_it_spares() -> None:
    graph = read_model(excited()).graph
    wide = graph.operators[0].outputs[0]
    nodes = range(len(graph.operators))
    costs = dict.fromkeys(nodes, 1.0)
    held = {wide: graph.tensors[wide].bytes}
    assert list(copies_to_try(graph, nodes, wide, held, costs, 1.0)) == [(Copy((0,), (3,)),)]
    assert list(copies_to_try(graph, nodes, wide, {wide: 2304}, costs, 1.0)) == []
    assert list(copies_to_try(graph, nodes, wide, held, costs, 0.5)) == []


def test_a_map_is_made_again_where_extra_multiply_accumulates_are_allowed() -> None:
    plain, again = (
        best_plan(evaluator_of(excited()), Options(effort=200, max_slowdown=slowdown), Teller())
        for slowdown in (DEFAULT_SLOWDOWN, 3.0)
    )
    assert plain
    assert again
    assert again.plan.planned_head_bytes < 0.5 * plain.plan.planned_head_bytes
    assert plan_macs(plain.plan) < plan_macs(again.plan) < 2 * plan_macs(plain.plan)


@pytest.mark.parametrize(("kind", "allowed"), [("PAD", True), ("CONV", False)])
def test_by_default_only_what_has_no_multiply_accumulates_is_done_twice(kind: str, allowed: bool) -> None:
    front = searched(excited(kind), Limits(100, 3.0))
    assert bool(front[-1].decision.rewrites) == allowed


@pytest.mark.parametrize("kind", ["PAD", "CONV"])
def test_a_search_with_copies_gives_the_same_bytes(tflm: TflmServer, kind: str) -> None:
    model = excited(kind)
    inputs = inputs_of(model, 2)
    front = searched(model, Limits(60, 3.0, 2, allow_extra_macs=True))
    assert any(state.decision.rewrites for state in front)
    for state in front:
        plan = compile_schedule(state.split, state.step_graph, state.schedule, 5)
        original, optimized = run_plan(tflm, model, plan, inputs)
        assert optimized.outputs == original.outputs


def test_copies_stay_inside_a_region() -> None:
    """TFLM has no tensor for the result of a copy: its reader is no stock operator, and none stands between the two."""
    n = Network((1, 8, 8, 4))
    made = n.conv(n.input, 4)
    late = n.add(made, n.conv(made, 4))
    graph = read_model(n.finish(n.reversed(late))).graph
    assert stay_inside(split_graph(Copy((0,), (2,)).applied(graph)), range(len(graph.tensors), 100))
    n = Network((1, 8, 8, 4))
    made = n.conv(n.input, 4)
    graph = read_model(n.finish(n.conv(made, 4), n.reversed(made))).graph
    assert not stay_inside(split_graph(Copy((0,), (2,)).applied(graph)), range(len(graph.tensors), 100))


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(networks())
def test_random_networks_with_operators_done_twice_give_the_same_bytes(tflm: TflmServer, model: bytes) -> None:
    graph = rewritten_split(read_model(model).graph, SplitOptions()).graph
    nodes = range(len(graph.operators))
    stock = split_graph(graph).stock
    costs = {n: 0.0 for n in nodes if n not in stock}
    found = [
        copies
        for t in graph.producers()
        for copies in islice(copies_to_try(graph, nodes, t, {t: 1 << 30}, costs, 0.0), 2)
    ]
    assume(found)
    inputs = inputs_of(model, 2)
    for copies in found[:3]:
        changed = graph
        for copy in copies:
            changed = copy.applied(changed)
        split = split_graph(changed)
        if len(split.stock) != len(stock) or not stay_inside(split, range(len(graph.tensors), len(changed.tensors))):
            continue
        step_graph = build_step_graph(split)
        order = tuck_aliases(split, range(len(changed.operators)))
        plan = compile_schedule(split, step_graph, best_cuts(step_graph, order, split.stock), 5)
        original, optimized = run_plan(tflm, model, plan, inputs)
        assert optimized.outputs == original.outputs
        assert optimized.measured_head_bytes == plan.planned_head_bytes
