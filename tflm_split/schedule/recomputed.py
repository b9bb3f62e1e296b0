"""What if some rows were computed again each time they are read, instead of being kept?

Windows of 3 rows with stride 1 read rows 0-2, then 1-3, then 2-4 of their input:

    kept:        make 0 1 2, window 0 | make 3, window 1     | make 4, window 2       3 rows live at all times
    recomputed:  make 0 1 2, window 0 | make 1 2 3, window 1 | make 2 3 4, window 2   no row lives in between

Between two windows a *recomputed* operator keeps no rows. This is the halo of patch-based inference (MCUNetV2,
arXiv 2110.15352), along rows. It is decided for each operator: one may recompute its rows while the next one keeps its own.
The extra multiply-accumulates are the price, and the caller must have leave to spend them.

A row that is computed several times has several pieces, all of the same storage and row. They live at different times, at
the same address.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tflm_split.schedule.cuts import Schedule
from tflm_split.schedule.lives import live_peak
from tflm_split.schedule.step_graph import Step, StepGraph, node_dependencies
from tflm_split.schedule.streaming import goal_steps


@dataclass(frozen=True, slots=True)
class Recomputed:
    """`step_graph` has a step with pieces of its own for each time a row is computed; `schedule` orders these steps."""

    step_graph: StepGraph
    schedule: Schedule


def recomputable(step_graph: StepGraph, schedule: Schedule) -> frozenset[int]:
    """Nodes that could be recomputed: each row is made by one step and read only by other nodes between the same two cuts."""
    group_of = {n: k for k, group in enumerate(schedule.groups()) for n in group}
    steps = step_graph.steps
    recomputable_nodes = set()
    for n in schedule.nodes:
        mine = [s for s in step_graph.steps_of[n] if s in step_graph.needed]
        pieces = {p for s in mine for p in steps[s].writes}
        alone = all(steps[s].row_op is not None and not _accumulates(steps[s], step_graph) for s in mine)
        inside = all(
            steps[r].node != n and group_of[steps[r].node] == group_of[n] for p in pieces for r in step_graph.readers[p]
        )
        if (
            mine
            and alone
            and inside
            and all(len(step_graph.producers[p]) == 1 and step_graph.readers[p] for p in pieces)
            and not pieces & (step_graph.final | step_graph.initial)
        ):
            recomputable_nodes.add(n)
    return frozenset(recomputable_nodes)


def recompute(step_graph: StepGraph, schedule: Schedule, nodes: frozenset[int]) -> Recomputed:
    """`schedule` with the rows of `nodes` computed again for every step that reads them. `nodes` must be `recomputable`."""
    order: list[int] = []
    dependencies = node_dependencies(step_graph)
    for group in schedule.groups():
        order.extend(_order(step_graph, group, nodes, dependencies))
    unrolled, steps = _unrolled(step_graph, order)
    peak = live_peak(unrolled, steps)
    return Recomputed(unrolled, replace(schedule, steps=tuple(steps), live_peak_bytes=peak))


def _accumulates(step: Step, step_graph: StepGraph) -> bool:
    """Whether the step adds to what another step of its node began."""
    return any(step_graph.steps[d].node == step.node for d in step.depends)


def _order(
    step_graph: StepGraph, nodes: Sequence[int], recomputed: frozenset[int], dependencies: Mapping[int, frozenset[int]]
) -> list[int]:
    """Steps of a group, depth-first on demand as in `streaming.py`. Those of `recomputed` come once per step that reads them.

    A recomputed row counts as made only while some step under way waits to read it.
    """
    steps, inside = step_graph.steps, set(nodes)
    goals = goal_steps(step_graph, nodes, dependencies)
    goals += [s for n in nodes if n not in recomputed for s in step_graph.steps_of[n] if s in step_graph.needed]
    order: list[int] = []
    held: set[int] = set()
    wanted: Counter[int] = Counter()  # recomputed row -> steps under way that wait to read it

    for goal in goals:
        if goal in held:
            continue
        stack = [goal]
        waiting: list[list[int]] = [_pinned(steps[goal], steps, inside, recomputed, wanted)]
        while stack:
            s, todo = stack[-1], waiting[-1]
            missing = next((d for d in todo if d not in held), None)
            if missing is not None:
                stack.append(missing)
                waiting.append(_pinned(steps[missing], steps, inside, recomputed, wanted))
                continue
            stack.pop()
            waiting.pop()
            held.add(s)
            order.append(s)
            for d in todo:
                if steps[d].node in recomputed:
                    wanted[d] -= 1
                    if not wanted[d]:
                        held.discard(d)
    return order


def _pinned(
    step: Step, steps: Sequence[Step], inside: set[int], recomputed: frozenset[int], wanted: Counter[int]
) -> list[int]:
    """The steps inside the group that `step` depends on. The recomputed ones are counted in `wanted` until it has run."""
    todo = [d for d in step.depends if steps[d].node in inside]
    wanted.update(d for d in todo if steps[d].node in recomputed)
    return todo


def _unrolled(step_graph: StepGraph, order: Sequence[int]) -> tuple[StepGraph, list[int]]:
    """The graph with one step, which has pieces of its own, for each time a step is in `order`; and that order."""
    times = Counter(order)
    repeated = {p for s, n in times.items() if n > 1 for p in step_graph.steps[s].writes}
    pieces = list(step_graph.pieces)
    steps = list(step_graph.steps)
    plain = step_graph.steps
    steps_of = [list(of_node) for of_node in step_graph.steps_of]
    latest_piece: dict[int, int] = {}
    latest_step: dict[int, int] = {}
    result: list[int] = []
    for s in order:
        step = plain[s]
        first_time = s not in latest_step
        made = step.writes
        if not first_time:
            made = tuple(range(len(pieces), len(pieces) + len(step.writes)))
            pieces.extend(step_graph.pieces[p] for p in step.writes)
        index = s if first_time else len(steps)
        overlaps = step.overlaps
        if overlaps:
            overlaps = tuple([o for o in overlaps if o.read not in repeated and o.written not in repeated])
        reads = tuple([latest_piece.get(p, p) for p in step.reads])
        depends = tuple([latest_step.get(d, d) for d in step.depends])
        now = Step(step.node, step.row_op, step.row, reads, made, depends, overlaps)
        if first_time:
            steps[s] = now
        else:
            steps.append(now)
            steps_of[step.node].append(index)
        latest_step[s] = index
        latest_piece.update(zip(step.writes, made, strict=True))
        result.append(index)
    producers: list[list[int]] = [[] for _ in pieces]
    readers: list[list[int]] = [[] for _ in pieces]
    for s, step in enumerate(steps):
        for p in step.writes:
            producers[p].append(s)
        for p in step.reads:
            readers[p].append(s)
    return (
        replace(
            step_graph,
            pieces=tuple(pieces),
            steps=tuple(steps),
            steps_of=tuple(map(tuple, steps_of)),
            producers=tuple(map(tuple, producers)),
            readers=tuple(map(tuple, readers)),
            needed=step_graph.needed | frozenset(result),
        ),
        result,
    )
