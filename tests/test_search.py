"""The search under limits: what it finds gives TFLM's bytes, stays within the slowdown asked for, and is no accident."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from random_networks import networks
from test_split_equals_tflm import inputs_of
from tflm_server import TflmServer
from tiny_models import Builder

from tflm_split.analysis.latency import predict, sharing
from tflm_split.kinds import OpKind
from tflm_split.lower.assemble import lower
from tflm_split.lower.compile import Plan, compile_schedule
from tflm_split.lower.place import Allowance
from tflm_split.options import DEFAULT_SLOWDOWN, Options
from tflm_split.plan.progress import Teller
from tflm_split.report.record import plan_macs
from tflm_split.schedule.lives import lives
from tflm_split.schedule.recomputed import recomputable, recompute
from tflm_split.search.base import rewritten_split
from tflm_split.search.candidates import best_plan, pareto_plans
from tflm_split.search.decision import Decision
from tflm_split.search.evaluate import Evaluation, Evaluator
from tflm_split.search.limits import Limits
from tflm_split.search.refine import NOISE, Search
from tflm_split.split.regions import SplitOptions
from tflm_split.tflite.reader import read_model

SLOW = settings(
    deadline=None, max_examples=20, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)


@pytest.fixture(scope="module")
def tflm() -> Iterator[TflmServer]:
    server = TflmServer()
    yield server
    server.close()


def strided_block(height: int = 16, width: int = 16) -> bytes:
    """An inverted residual: pointwise expansion to 32 channels, depthwise convolution of stride 2, projection."""
    b = Builder((1, height, width, 8))
    x = b.conv(b.inputs[0], 32, 1, 1)
    x = b.depthwise(x, 3, 3, 2)
    return b.finish(b.conv(x, 8, 1, 1))


def evaluator_of(model: bytes) -> Evaluator:
    return Evaluator(read_model(model).graph, "m7")


def start_in(evaluator: Evaluator) -> Evaluation:
    """The file's order without groups, copies or tiles: rows alone."""
    nothing = Decision((), ())
    return evaluator.first(replace(nothing, nodes=evaluator.orders(nothing)[0]))


def start_of(model: bytes) -> Evaluation:
    return start_in(evaluator_of(model))


def searched(model: bytes, limits: Limits) -> list[Evaluation]:
    """What a search from there keeps."""
    evaluator = evaluator_of(model)
    return Search(evaluator, start_in(evaluator), limits).run()


def run_plan(tflm: TflmServer, model: bytes, plan: Any, inputs: Sequence[Any]) -> tuple[Any, Any]:
    optimized = lower(read_model(model), plan).model.original
    return tflm.run(model, inputs), tflm.run(optimized, inputs)


def test_channels_are_grouped_where_a_stride_skips_rows() -> None:
    front = searched(strided_block(), Limits(50, 2.0))
    assert front[-1].decision.channel_groups
    assert front[-1].live_peak_bytes < 0.85 * front[0].live_peak_bytes


def test_channels_grouped_and_rows_made_again_give_the_same_bytes(tflm: TflmServer) -> None:
    model = strided_block()
    inputs = inputs_of(model, 2)
    for state in searched(model, Limits(60, 4.0, 2, allow_extra_macs=True)):
        plan = compile_schedule(state.split, state.step_graph, state.schedule, 5)
        original, optimized = run_plan(tflm, model, plan, inputs)
        assert optimized.outputs == original.outputs


def test_grouping_does_no_multiply_accumulate_twice() -> None:
    evaluator = evaluator_of(strided_block())
    grouped = best_plan(evaluator, Options(effort=200, max_slowdown=DEFAULT_SLOWDOWN), Teller())
    rows = best_plan(evaluator, Options(effort=0), Teller())
    assert grouped and rows
    assert plan_macs(grouped.plan) == plan_macs(rows.plan)


def test_no_slowdown_is_allowed_at_1_0() -> None:
    front = searched(strided_block(), Limits(50, 1.0))
    assert all(state.instructions <= NOISE * front[0].instructions for state in front)


def windows_around_a_pointwise_convolution() -> bytes:
    """The row of a pointwise convolution may replace the row it reads. The 3x3 convolutions around it keep three rows each."""
    b = Builder((1, 16, 8, 4))
    x = b.conv(b.conv(b.inputs[0], 80, 3, 1), 80, 1, 1)
    return b.finish(b.conv(b.conv(x, 80, 3, 1), 4, 1, 1))


def rows_right_on_what_they_read(plan: Plan) -> int:
    """Steps of convolutions that cannot take two pixels at a time, because their output row overlaps a row they read."""
    return sum(
        sharing(r.program, op, step.row, addresses) == (False, 1)
        for r in plan.regions
        for step, addresses in zip(r.program.steps, r.program.addresses_by_step(), strict=True)
        if (op := r.program.ops[step.op]).kind is OpKind.CONV
    )


def test_rows_lie_on_what_their_step_reads_only_within_the_limit() -> None:
    model = windows_around_a_pointwise_convolution()
    start = start_of(model)
    heads, instructions = {}, {}
    for only_free in (False, True):
        allowance = Allowance("m7", 0.0, only_free)
        plan = compile_schedule(start.split, start.step_graph, start.schedule, 50, allowance)
        assert bool(rows_right_on_what_they_read(plan)) != only_free
        heads[only_free], instructions[only_free] = plan.planned_head_bytes, predicted(plan)
    assert heads[False] < heads[True]
    assert instructions[False] > NOISE * instructions[True]
    best = best_plan(evaluator_of(model), Options(effort=50, max_slowdown=1.0, axes=frozenset({"rows"})), Teller())
    assert best
    assert predicted(best.plan) <= NOISE * instructions[True]


def predicted(plan: Plan) -> int:
    return sum(predict(region.program, "m7").instructions for region in plan.regions)


def test_a_search_without_evaluations_is_its_start() -> None:
    front = searched(strided_block(), Limits(0, 2.0))
    assert [state.schedule for state in front] == [start_of(strided_block()).schedule]


def test_the_front_gets_slower_and_smaller() -> None:
    plans = pareto_plans(evaluator_of(strided_block(24, 24)), Options(effort=300, max_slowdown=3.0), Teller())
    heads = [found.plan.planned_head_bytes for found in plans]
    assert len(heads) > 1
    assert heads == sorted(heads, reverse=True)


def test_rows_made_again_live_shorter_and_cost_multiply_accumulates() -> None:
    start = start_of(strided_block())
    node = next(iter(sorted(recomputable(start.step_graph, start.schedule))))
    once, again = start, recompute(start.step_graph, start.schedule, frozenset({node}))
    assert len(again.schedule.steps) > len(once.schedule.steps)
    kept = {
        (again.step_graph.pieces[p].storage, again.step_graph.pieces[p].row)
        for p in lives(again.step_graph, again.schedule.steps)
    }
    assert kept == {
        (once.step_graph.pieces[p].storage, once.step_graph.pieces[p].row)
        for p in lives(once.step_graph, once.schedule.steps)
    }


def test_every_step_of_a_recomputing_order_finds_its_rows() -> None:
    """A step's operands are made before it, and after every earlier making of the same row."""
    start = start_of(strided_block())
    nodes = recomputable(start.step_graph, start.schedule)
    again = recompute(start.step_graph, start.schedule, nodes)
    position = {s: k for k, s in enumerate(again.schedule.steps)}
    assert len(position) == len(again.schedule.steps)
    for s in again.schedule.steps:
        assert all(position[d] < position[s] for d in again.step_graph.steps[s].depends)


@SLOW
@given(networks())
def test_random_networks_with_all_that_can_be_recomputed_give_the_same_bytes(tflm: TflmServer, model: bytes) -> None:
    assume(rewritten_split(read_model(model).graph, SplitOptions()).row_ops)
    start = start_of(model)
    nodes = recomputable(start.step_graph, start.schedule)
    assume(nodes)
    again = recompute(start.step_graph, start.schedule, nodes)
    assume(len(again.schedule.steps) < 4000)
    plan = compile_schedule(start.split, again.step_graph, again.schedule, 5)
    original, optimized = run_plan(tflm, model, plan, inputs_of(model, 2))
    assert optimized.outputs == original.outputs
    assert optimized.measured_head_bytes == plan.planned_head_bytes
