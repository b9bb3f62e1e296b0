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
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from tflm_split.schedule.cuts import Schedule
from tflm_split.schedule.lives import live_peak
from tflm_split.schedule.step_graph import Step, StepGraph, node_dependencies
from tflm_split.schedule.streaming import goal_steps, streaming_order

MAX_PATCHES = 200
"""Most blocks that run patch by patch. One may wait for another, so they nest."""


@dataclass(frozen=True, slots=True)
class Patches:
    """A block of nodes that makes a few rows of its result at a time, from nothing: the patches of MCUNetV2.

    `inner` make what only the block reads; their rows are kept while one patch is under way, and forgotten after it.
    `last` makes the result, `rows` rows of it per patch; these live as long as they are read.
    """

    inner: tuple[int, ...]
    last: int
    rows: int


@dataclass(frozen=True, slots=True)
class Recomputed:
    """`step_graph` has a step with pieces of its own for each time a row is computed; `schedule` orders these steps."""

    step_graph: StepGraph
    schedule: Schedule


def recomputable(step_graph: StepGraph, schedule: Schedule, among: Collection[int] | None = None) -> frozenset[int]:
    """Nodes that could be recomputed: each row is made by one step and read only by other nodes between the same two cuts.

    Of those `among` which is asked, or of all.
    """
    group_of = {n: k for k, group in enumerate(schedule.groups()) for n in group}
    steps = step_graph.steps
    recomputable_nodes = set()
    for n in schedule.nodes if among is None else among:
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


def patchable(step_graph: StepGraph, schedule: Schedule, patches: Patches) -> bool:
    """Whether the block could run patch by patch: what its inner nodes make is read in the block alone, between two cuts."""
    group_of = {n: k for k, group in enumerate(schedule.groups()) for n in group}
    block = {*patches.inner, patches.last}
    steps = step_graph.steps
    for n in patches.inner:
        mine = [s for s in step_graph.steps_of[n] if s in step_graph.needed]
        pieces = {p for s in mine for p in steps[s].writes}
        if (
            any(steps[s].row_op is None or _accumulates(steps[s], step_graph) for s in mine)
            or any({steps[s].node for s in step_graph.producers[p]} != {n} for p in pieces)
            or any(not step_graph.readers[p] for p in pieces)
            or any(steps[r].node not in block or steps[r].node == n for p in pieces for r in step_graph.readers[p])
            or pieces & (step_graph.final | step_graph.initial)
            or group_of[n] != group_of[patches.last]
        ):
            return False
    return True


def recompute(
    step_graph: StepGraph, schedule: Schedule, nodes: frozenset[int], patches: Sequence[Patches] = ()
) -> Recomputed:
    """`schedule` with the rows of `nodes` computed again for every step that reads them, and `patches` one after the other.

    `nodes` must be `recomputable`, and `patches` `patchable`. No node may be in two of them.
    """
    order: list[int] = []
    dependencies = node_dependencies(step_graph)
    again = nodes.union(*((*block.inner, block.last) for block in patches))
    for group in schedule.groups():
        if again.isdisjoint(group):
            order.extend(streaming_order(step_graph, group, dependencies))
        else:
            order.extend(_Walk(step_graph, group, nodes, patches).ordered(dependencies))
    unrolled, steps = _unrolled(step_graph, order)
    peak = live_peak(unrolled, steps)
    return Recomputed(unrolled, replace(schedule, steps=tuple(steps), live_peak_bytes=peak))


def _accumulates(step: Step, step_graph: StepGraph) -> bool:
    """Whether the step adds to what another step of its node began."""
    return any(step_graph.steps[d].node == step.node for d in step.depends)


class _Walk:
    """Lists the steps of a group, depth-first on demand as in `streaming.py`.

    A recomputed row counts as made only while some step under way waits to read it, and a row inside of a patch only while
    that patch is under way.
    """

    def __init__(
        self, step_graph: StepGraph, nodes: Sequence[int], recomputed: frozenset[int], patches: Sequence[Patches]
    ) -> None:
        self._graph, self._steps, self._nodes = step_graph, step_graph.steps, nodes
        self._inside = set(nodes)
        self._recomputed = recomputed
        self._patches = {block.last: block for block in patches if block.last in self._inside}
        self._patch_of = {n: block.last for block in self._patches.values() for n in block.inner}
        self._order: list[int] = []
        self._held: set[int] = set()
        self._wanted: Counter[int] = Counter()
        """Recomputed row -> steps under way that wait to read it."""
        self._under_way: set[int] = set()
        """The steps that make the results of the patches under way."""
        self._in_patch: dict[int, list[int]] = {last: [] for last in self._patches}
        """By the last node of a block: the steps inside of its patch that have run."""

    def ordered(self, dependencies: Mapping[int, frozenset[int]]) -> list[int]:
        """The steps, in order; those of patches and recomputed ones as often as they run."""
        goals = goal_steps(self._graph, self._nodes, dependencies)
        kept = [n for n in self._nodes if n not in self._recomputed and n not in self._patch_of]
        goals += [s for n in kept for s in self._graph.steps_of[n] if s in self._graph.needed]
        for goal in goals:
            self._run(goal)
        return self._order

    def _run(self, goal: int) -> None:
        """List `goal`, and before it all that it waits for."""
        if goal in self._held or self._ran_patch(goal):
            return
        stack = [goal]
        waiting = [self._pinned(goal)]
        while stack:
            s, todo = stack[-1], waiting[-1]
            missing = next((d for d in todo if d not in self._held), None)
            if missing is not None:
                if not self._ran_patch(missing):
                    stack.append(missing)
                    waiting.append(self._pinned(missing))
                continue
            stack.pop()
            waiting.pop()
            self._made(s, todo)

    def _made(self, s: int, read: Sequence[int]) -> None:
        self._held.add(s)
        self._order.append(s)
        block = self._patch_of.get(self._steps[s].node)
        if block is not None:
            self._in_patch[block].append(s)
        for d in read:
            if self._steps[d].node in self._recomputed:
                self._wanted[d] -= 1
                if not self._wanted[d]:
                    self._held.discard(d)

    def _ran_patch(self, s: int) -> bool:
        """Whether `s` makes the result of a block, whose patch was listed now. Patches of other blocks may be within it."""
        block = self._patches.get(self._steps[s].node)
        if block is None or s in self._under_way:
            return False
        patch = self._steps[s].row // block.rows
        mine = [
            other
            for other in self._graph.steps_of[block.last]
            if self._steps[other].row // block.rows == patch and other in self._graph.needed
        ]
        self._under_way.update(mine)
        for other in mine:
            self._run(other)
        self._under_way.difference_update(mine)
        self._held.difference_update(self._in_patch[block.last])
        self._in_patch[block.last].clear()
        return True

    def _pinned(self, s: int) -> list[int]:
        """The steps inside the group that `s` depends on. The recomputed ones are counted in `_wanted` until it has run."""
        todo = [d for d in self._steps[s].depends if self._steps[d].node in self._inside]
        self._wanted.update(d for d in todo if self._steps[d].node in self._recomputed)
        return todo


def _unrolled(step_graph: StepGraph, order: list[int]) -> tuple[StepGraph, list[int]]:
    """The graph with one step, which has pieces of its own, for each time a step is in `order`; and that order."""
    unrolling = _Unrolling(step_graph, order)
    result = [unrolling.ran(s) for s in order]
    return unrolling.graph(result), result


class _Unrolling:
    """A step graph that grows a step, and the pieces that it writes, for each time a step runs again."""

    def __init__(self, step_graph: StepGraph, order: list[int]) -> None:
        self._graph, plain = step_graph, step_graph.steps
        times = Counter(order)
        again = {s for s, n in times.items() if n > 1}
        self._repeated = repeated = {p for s in again for p in plain[s].writes}
        changing = again.union(*(step_graph.readers[p] + step_graph.producers[p] for p in repeated))
        changing |= {s for s in times if s not in changing and not repeated.isdisjoint(_overlapped(plain[s]))}
        self._changing = changing
        """The steps that are not simply those of the graph."""
        self._pieces, self._steps = list(step_graph.pieces), list(plain)
        self._steps_of = [list(of_node) for of_node in step_graph.steps_of]
        self._producers, self._readers = list(step_graph.producers), list(step_graph.readers)
        for p in repeated:
            self._producers[p] = ()
            self._readers[p] = tuple([r for r in step_graph.readers[p] if r not in times])
        self._latest_piece: dict[int, int] = {}
        self._latest_step: dict[int, int] = {}
        self._written: dict[int, set[int]] = {}
        """By piece: the steps that have written their parts of the latest one."""

    def ran(self, s: int) -> int:
        """The step that `s` is this time."""
        if s not in self._changing:
            return s
        step, first_time = self._graph.steps[s], s not in self._latest_step
        for p in step.writes:
            if s in self._written.setdefault(p, set()):
                self._begin(p)
            self._written[p].add(s)
        index = s if first_time else len(self._steps)
        overlaps = step.overlaps
        if overlaps:
            overlaps = tuple([o for o in overlaps if not self._repeated.intersection((o.read, o.written))])
        made = tuple([self._latest_piece.get(p, p) for p in step.writes])
        reads = tuple([self._latest_piece.get(p, p) for p in step.reads])
        depends = tuple([self._latest_step.get(d, d) for d in step.depends])
        now = Step(step.node, step.row_op, step.row, reads, made, depends, overlaps)
        if first_time:
            self._steps[s] = now
        else:
            self._steps.append(now)
            self._steps_of[step.node].append(index)
        self._latest_step[s] = index
        for p, was in zip(made, step.writes, strict=True):
            if was in self._repeated and index not in self._producers[p]:
                self._producers[p] = (*self._producers[p], index)
        for p, was in zip(reads, step.reads, strict=True):
            if was in self._repeated or not first_time:
                self._readers[p] = (*self._readers[p], index)
        return index

    def _begin(self, p: int) -> None:
        """Another row in the place of piece `p`."""
        self._latest_piece[p] = len(self._pieces)
        self._written[p] = set()
        self._pieces.append(self._graph.pieces[p])
        self._producers.append(())
        self._readers.append(())

    def graph(self, order: list[int]) -> StepGraph:
        """What has grown, in which the steps of `order` are needed."""
        return replace(
            self._graph,
            pieces=tuple(self._pieces),
            steps=tuple(self._steps),
            steps_of=tuple(map(tuple, self._steps_of)),
            producers=tuple(self._producers),
            readers=tuple(self._readers),
            needed=self._graph.needed | frozenset(order),
        )


def _overlapped(step: Step) -> list[int]:
    return [p for o in step.overlaps for p in (o.read, o.written)]
