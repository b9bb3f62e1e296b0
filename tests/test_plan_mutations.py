"""Planted planner bugs: the memory replay stops every one that would change a byte.

`replay` checks what is about to be written. So it must catch a wrong address, whoever made it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from random_networks import networks
from split_stages import scheduled
from tiny_models import Builder

from tflm_split.errors import InternalError
from tflm_split.lower.compile import visible_storages
from tflm_split.lower.emit import Region, emit_region, region_runs
from tflm_split.plan.check import check_layout
from tflm_split.plan.portfolio import plan
from tflm_split.plan.problem import Body, Layout, Span, head_bytes
from tflm_split.program.types import Program
from tflm_split.schedule.cuts import Schedule
from tflm_split.schedule.lives import Bodies, make_bodies
from tflm_split.schedule.step_graph import Overlap, StepGraph
from tflm_split.search.base import rewritten_split
from tflm_split.split.regions import Split, SplitOptions
from tflm_split.tflite.reader import read_model
from tflm_split.verify.oracle import run_program
from tflm_split.verify.replay import replay


class Stages:
    """A network of one region, and its stages, so that tests can plant faults."""

    def __init__(self, model: bytes, in_place: bool = False) -> None:
        self.split: Split = rewritten_split(read_model(model).graph, SplitOptions(concatenate_in_place=in_place))
        step_graph, schedule = scheduled(self.split)
        self.step_graph: StepGraph = step_graph
        self.schedule: Schedule = schedule
        self.runs = region_runs(schedule.nodes, self.split.stock)
        self.contiguous = visible_storages(self.split, self.runs)

    @property
    def steps(self) -> Sequence[int]:
        return self.schedule.steps

    def bodies(self, step_graph: StepGraph | None = None) -> Bodies:
        return make_bodies(step_graph or self.step_graph, self.steps, self.contiguous)

    def region(self, bodies: Bodies, layout: Layout) -> Region:
        return emit_region(self.split, self.step_graph, self.runs[0], self.steps, bodies, layout, self.contiguous)

    def program(self, bodies: Bodies, layout: Layout) -> Program:
        return self.region(bodies, layout).program


def residual() -> bytes:
    """Convolutions, a residual, a sum: line buffers, long lives and an accumulator."""
    b = Builder((1, 12, 6, 4), seed=1)
    first = b.conv(b.input, 4)
    second = b.add(b.conv(b.depthwise(first), 4), first)
    return b.finish(b.dense(b.mean(b.conv(second, 4, stride=2)), 3))


def inputs_of(program: Program, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, io.bytes).astype(np.uint8) for io in program.inputs]


def with_address(program: Program, storage: int, row: int, address: int) -> Program:
    old = program.storages[storage]
    addresses = (*old.addresses[:row], address, *old.addresses[row + 1 :])
    storages = (*program.storages[:storage], replace(old, addresses=addresses), *program.storages[storage + 1 :])
    return replace(program, storages=storages)


def movable(program: Program) -> list[tuple[int, int]]:
    """(storage, row) of all rows with addresses of their own."""
    return [(s, r) for s, x in enumerate(program.storages) for r, a in enumerate(x.addresses) if a is not None]


def test_the_unharmed_program_passes() -> None:
    stages = Stages(residual())
    bodies = stages.bodies()
    program = stages.program(bodies, plan(bodies.bodies, 5))
    assert replay(program).steps == len(program.steps)


def test_a_row_moved_onto_a_living_one_is_caught() -> None:
    """Every row that is read later is put at the address of every row that is live at the same time."""
    stages = Stages(residual())
    bodies = stages.bodies()
    layout = plan(bodies.bodies, 5)
    caught = tried = 0
    for b, body in enumerate(bodies.bodies):
        for c, other in enumerate(bodies.bodies):
            together = b != c and any(
                s.start < t.stop - 1 and t.start < s.stop - 1 for s in body.spans for t in other.spans
            )
            if not together or body.align != 4 or other.align != 4 or len(body.spans) > 1 or len(other.spans) > 1:
                continue
            moved = Layout(
                (*layout.addresses[:b], layout.addresses[c], *layout.addresses[b + 1 :]), layout.head_bytes, "bug"
            )
            tried += 1
            try:
                replay(stages.program(bodies, moved))
            except InternalError:
                caught += 1
    assert tried > 10
    assert caught == tried


def test_an_address_shifted_by_one_row_is_caught_or_harmless() -> None:
    stages = Stages(residual())
    bodies = stages.bodies()
    program = stages.program(bodies, plan(bodies.bodies, 5))
    given_inputs = inputs_of(program, 0)
    wanted = run_program(program, given_inputs)
    caught = 0
    for storage, row in movable(program):
        address = program.storages[storage].addresses[row]
        assert address is not None
        for shift in (-1, 1):
            moved = address + shift * program.storages[storage].row_bytes
            if not 0 <= moved <= program.workspace_bytes - program.storages[storage].row_bytes:
                continue
            mutant = with_address(program, storage, row, moved)
            try:
                replay(mutant)
            except InternalError:
                caught += 1
            else:
                assert run_program(mutant, given_inputs) == wanted
    assert caught >= 20


def test_a_piece_freed_one_step_too_early_is_caught() -> None:
    """Each piece in turn loses the last step of its life. Where the planner uses the gap, replay sees it."""
    stages = Stages(residual())
    bodies = stages.bodies()
    caught = 0
    for b, body in enumerate(bodies.bodies):
        last = max(range(len(body.spans)), key=lambda k: body.spans[k].stop)
        span = body.spans[last]
        if span.stop - span.start < 2 or span.stop == len(stages.steps):
            continue
        shorter = Span(span.start, span.stop - 1, span.offset, span.bytes)
        mutated = Body((*body.spans[:last], shorter, *body.spans[last + 1 :]), body.align)
        layout = plan([*bodies.bodies[:b], mutated, *bodies.bodies[b + 1 :]], 0)
        try:
            check_layout(bodies.bodies, layout)
        except InternalError:
            with pytest.raises(InternalError, match="the memory plan is wrong"):
                replay(stages.program(bodies, layout))
            caught += 1
    assert caught >= 1


def test_a_convolution_forced_in_place_is_caught() -> None:
    """A 3x3 convolution that starts at the very address of the row it reads last."""
    b = Builder((1, 12, 6, 4), seed=1)
    stages = Stages(b.finish(b.mean(b.conv(b.conv(b.input, 4), 4))))
    graph = stages.step_graph
    forced = []
    for s, step in enumerate(graph.steps):
        rows = [p for p in step.reads if graph.pieces[p].bytes == 24]
        if step.node == 1 and rows and len(step.writes) == 1:
            overlaps = tuple(Overlap(p, step.writes[0], 0, 24) for p in rows)
            forced.append(s)
            step = step._replace(overlaps=overlaps)
            graph = replace(graph, steps=(*graph.steps[:s], step, *graph.steps[s + 1 :]))
    assert forced
    bodies = stages.bodies(graph)
    with pytest.raises(InternalError, match="before it has read it for the last time"):
        replay(stages.program(bodies, plan(bodies.bodies, 0)))


def test_rows_that_run_over_one_another_a_word_too_far_are_caught() -> None:
    """Each overlap of the step graph is made one word closer than the kernels allow."""
    b = Builder((1, 12, 6, 4), seed=1)
    stages = Stages(b.finish(b.mean(b.conv(b.conv(b.input, 4), 4, 1, 1))))
    assert any(o.distance_bytes for step in stages.step_graph.steps for o in step.overlaps)

    def closer(o: Overlap) -> Overlap:
        step = 4 if o.distance_bytes else 0
        return o._replace(distance_bytes=o.distance_bytes - step, shared_bytes=o.shared_bytes + step)

    steps = tuple(s._replace(overlaps=tuple(map(closer, s.overlaps))) for s in stages.step_graph.steps)
    bodies = stages.bodies(replace(stages.step_graph, steps=steps))
    with pytest.raises(InternalError, match="the memory plan is wrong"):
        replay(stages.program(bodies, plan(bodies.bodies, 0)))


def test_a_step_left_out_or_swapped_is_caught() -> None:
    stages = Stages(residual())
    bodies = stages.bodies()
    program = stages.program(bodies, plan(bodies.bodies, 5))
    for k in range(len(program.steps)):
        with pytest.raises(InternalError):
            replay(replace(program, steps=(*program.steps[:k], *program.steps[k + 1 :])))


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(networks(max_operators=6), st.booleans(), st.data())
def test_what_replay_lets_pass_computes_the_same(model: bytes, in_place: bool, data: st.DataObject) -> None:
    """A random row is put anywhere, or two steps are exchanged. Either replay objects, or no output byte changes."""
    stages = Stages(model, in_place)
    assume(stages.split.row_ops and not stages.split.stock and len(stages.runs) == 1)
    bodies = stages.bodies()
    layout = plan(bodies.bodies, 0)
    program = stages.program(bodies, layout)
    given_inputs = inputs_of(program, 0)
    mutant = program
    for _ in range(data.draw(st.integers(1, 2))):
        rows = movable(mutant)
        if rows and data.draw(st.booleans()):
            storage, row = data.draw(st.sampled_from(rows))
            most = program.workspace_bytes - program.storages[storage].row_bytes
            mutant = with_address(mutant, storage, row, 4 * data.draw(st.integers(0, most // 4)))
        else:
            a, b = (data.draw(st.integers(0, len(mutant.steps) - 1)) for _ in range(2))
            steps = list(mutant.steps)
            steps[a], steps[b] = steps[b], steps[a]
            mutant = replace(mutant, steps=tuple(steps))
    try:
        replay(mutant)
    except InternalError:
        return
    assert run_program(mutant, given_inputs) == run_program(program, given_inputs)


def caught_or_harmless(region: Region, mutant: Region) -> bool:
    """Whether replay objects to `mutant`. If not, all output bytes must be those of the region."""
    try:
        replay(mutant.program, mutant.output_storages)
    except InternalError:
        return True
    given_inputs = inputs_of(region.program, 0)
    assert run_program(mutant.program, given_inputs) == run_program(region.program, given_inputs)
    return False


def one_region(model: bytes, in_place: bool = False) -> Stages:
    stages = Stages(model, in_place)
    assume(stages.split.row_ops and not stages.split.stock and len(stages.runs) == 1)
    return stages


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(networks(max_operators=6), st.booleans(), st.data())
def test_in_any_network_a_piece_freed_too_early_is_caught(model: bytes, in_place: bool, data: st.DataObject) -> None:
    """The life of a body ends some steps early, or starts late. If the planner uses the gap, replay sees it."""
    stages = one_region(model, in_place)
    bodies = stages.bodies()
    b = data.draw(st.integers(0, len(bodies.bodies) - 1))
    early = data.draw(st.booleans())
    by = data.draw(st.integers(1, 4))
    spans = []
    for span in bodies.bodies[b].spans:
        kept = min(by, span.stop - span.start - 1)
        spans.append(replace(span, stop=span.stop - kept) if early else replace(span, start=span.start + kept))
    mutated = Body(tuple(spans), bodies.bodies[b].align)
    layout = plan([*bodies.bodies[:b], mutated, *bodies.bodies[b + 1 :]], 0)
    region = stages.region(bodies, plan(bodies.bodies, 0))
    try:
        check_layout(bodies.bodies, layout)
    except InternalError:
        caught_or_harmless(region, stages.region(bodies, layout))
    else:
        replay(stages.program(bodies, layout))


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(networks(max_operators=6), st.booleans(), st.data())
def test_in_any_network_a_row_put_onto_one_its_step_reads_is_caught(
    model: bytes, in_place: bool, data: st.DataObject
) -> None:
    """A step writes at, just before or just behind a row that it reads, where it may not work in place."""
    stages = one_region(model, in_place)
    bodies = stages.bodies()
    layout = plan(bodies.bodies, 0)
    region = stages.region(bodies, layout)
    pairs = [
        (bodies.placements[r], bodies.placements[w])
        for step in (stages.step_graph.steps[s] for s in stages.steps)
        for r in step.reads
        for w in step.writes
        if r != w and bodies.placements[r].body != bodies.placements[w].body
    ]
    assume(pairs)
    read, written = data.draw(st.sampled_from(pairs))
    address = layout.addresses[read.body] + read.offset - written.offset + 4 * data.draw(st.integers(-2, 2))
    assume(address >= 0 and address % bodies.bodies[written.body].align == 0)
    addresses = (*layout.addresses[: written.body], address, *layout.addresses[written.body + 1 :])
    caught_or_harmless(region, stages.region(bodies, replace(layout, addresses=addresses)))


def test_every_step_that_may_not_work_in_place_is_caught_when_it_does() -> None:
    """In a network of 3x3 convolutions no step may. Each row that is written later is put onto each row its step reads."""
    b = Builder((1, 12, 6, 4), seed=1)
    stages = Stages(b.finish(b.mean(b.conv(b.conv(b.conv(b.input, 4), 4), 4))))
    apart = tuple(step._replace(overlaps=()) for step in stages.step_graph.steps)
    bodies = stages.bodies(replace(stages.step_graph, steps=apart))
    layout = plan(bodies.bodies, 0)
    region = stages.region(bodies, layout)
    tried = 0
    for step in (stages.step_graph.steps[s] for s in stages.steps):
        for r in step.reads:
            for w in step.writes:
                read, written = bodies.placements[r], bodies.placements[w]
                if r == w or read.body == written.body or len(bodies.bodies[written.body].spans) > 1:
                    continue
                address = layout.addresses[read.body] + read.offset - written.offset
                addresses = (*layout.addresses[: written.body], address, *layout.addresses[written.body + 1 :])
                if address % bodies.bodies[written.body].align == 0:
                    assert caught_or_harmless(region, stages.region(bodies, replace(layout, addresses=addresses)))
                    tried += 1
    assert tried > 60


def test_two_outputs_on_top_of_one_another_are_caught() -> None:
    """The second output is made from the first, in place. Every read finds its data, but the first output is lost."""
    b = Builder((1, 12, 6, 4), seed=1)
    first = b.conv(b.input, 4)
    stages = Stages(b.finish(first, b.unary("RELU", first)))
    bodies = stages.bodies()
    layout = plan(bodies.bodies, 0)
    region = stages.region(bodies, layout)
    offset = {io.address for io in region.program.outputs}
    assert len(offset) == 2
    low, high = sorted(offset)
    origin = region.workspace_offset
    moved = tuple(low + origin if a == high + origin else a for a in layout.addresses)
    mutant = stages.region(bodies, replace(layout, addresses=moved))
    with pytest.raises(InternalError, match="is storage"):
        replay(mutant.program, mutant.output_storages)


def test_a_layout_is_checked_against_the_lives_it_was_made_for() -> None:
    stages = Stages(residual())
    bodies = stages.bodies()
    layout = plan(bodies.bodies, 0)
    low = Layout(tuple(0 for _ in layout.addresses), layout.head_bytes, "bug")
    assert head_bytes(bodies.bodies, low.addresses) <= layout.head_bytes
    with pytest.raises(InternalError, match="share bytes"):
        check_layout(bodies.bodies, low)
