"""From the bottleneck outwards: which tensors should be cut along channels too, which rows computed again?

Starts from a schedule, looks at the step where most bytes live, and tries to cut each tensor that lives there, and those
connected to it channel by channel, into groups of several sizes; where the user allows slower programs, also to compute
its rows again instead of keeping them. The best few changes are kept and the search goes on from their bottlenecks,
until nothing helps or the effort is spent (MoteNN's loop, on rows and channels). How much slower a result may be than
rows alone is a limit, on instructions predicted for a board.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import fsum

import numpy as np

from tflm_split.allowed_axes import ALL_AXES
from tflm_split.analysis.latency import row_op_cost
from tflm_split.errors import Refusal
from tflm_split.ir.graph import Graph
from tflm_split.schedule.cuts import Schedule, best_cuts
from tflm_split.schedule.heights import steps_along
from tflm_split.schedule.lives import live_bytes, live_peak, lives
from tflm_split.schedule.recompute import recomputable, recompute
from tflm_split.schedule.step_graph import StepGraph, node_dependencies
from tflm_split.schedule.streaming import streaming_order
from tflm_split.split.attention import attention_scores
from tflm_split.split.channel_rules import Sizes, equal_groups, groupable, joined, summed
from tflm_split.split.regions import Split, SplitOptions, cut_operators, fit

SHARES = (2, 3, 4, 6, 8, 12, 16)
"""Into how many groups a tensor may be cut."""
MIN_GROUP = 4
"""Channels: the kernels work on four at a time."""
ABOUT_EQUAL = 1.005
"""Of changes whose peaks are within this factor of the least, the fastest program wins."""
CROWDED = 0.97
"""Steps above this share of the peak count as bottlenecks: to have fewer of them is progress, too."""
RECUT = 2
"""How many changes of a round, beyond the best, get cuts of their own; all are compared under the cuts they came from."""
NOISE = 1.01
"""A predicted slowdown below this is none."""


@dataclass(frozen=True, slots=True)
class Refined:
    """A split, its steps and the best schedule found for it.

    `again`: operators whose rows are computed anew for each step that reads them. `streams_attention`: no cut makes
    attention scores whole. A search adds `instructions` of the split operators, predicted for its board, and how many
    steps are about as crowded as the worst one. `unpolished`: the schedule whose steps changed places to give `schedule`;
    its layout is sometimes the smaller one.
    """

    options: SplitOptions
    split: Split
    step_graph: StepGraph
    schedule: Schedule
    again: frozenset[int] = frozenset()
    instructions: float = 0.0
    crowded_steps: int = 0
    streams_attention: bool = False
    unpolished: Schedule | None = None

    @property
    def live_peak_bytes(self) -> int:
        return self.schedule.live_peak_bytes

    @property
    def rank(self) -> tuple[int, int]:
        """Least peak first; of equals, fewest steps near it."""
        return self.live_peak_bytes, self.crowded_steps


@dataclass(frozen=True, slots=True)
class Limits:
    """How long to search (`evaluations`), how many states to go on from, how slow a result may be, along which axes to cut.

    `max_slowdown` counts against rows alone, in instructions predicted for `board`; up to `NOISE` is no slowdown.
    """

    evaluations: int
    board: str
    max_slowdown: float
    beam: int = 1
    allow_extra_macs: bool = False
    axes: frozenset[str] = ALL_AXES


class Search:
    """The search from one start, which groups no channels yet. `front` holds every state that was kept, the start first."""

    def __init__(self, start: Refined, limits: Limits) -> None:
        self._limits = limits
        self._left = limits.evaluations
        self._graph = start.split.graph
        self._cut = cut_operators(self._graph)
        by_channels = "channels" in limits.axes
        self._cuttable = groupable(self._graph, self._cut.pieces) if by_channels else frozenset()
        self._summed = summed(self._graph, self._cut.pieces)
        self._joints = joined(self._graph, self._cut.pieces) if by_channels else {}
        self.start = self._measured(start)
        self.front: list[Refined] = [self.start]

    def run(self) -> list[Refined]:
        """`front` when nothing helps any more."""
        limit = max(self._limits.max_slowdown, NOISE) * self.start.instructions
        beam = [self.start]
        tried: set[object] = set()
        while self._left > 0:
            found: list[Refined] = []
            for state in beam:
                for move in self._moves(state):
                    key = (tuple(sorted(move[0].items())), move[1], state.schedule.cuts)
                    if key in tried:
                        continue
                    if self._left <= 0:
                        break
                    tried.add(key)
                    self._left -= 1
                    other = self._evaluated(state, *move)
                    if other is not None and other.instructions <= limit:
                        found.append(other)
            found = [self._cut_anew(other) for other in self._promising(found)]
            found = [other for other in found if other.instructions <= limit]
            best_so_far = min(state.rank for state in self.front)
            found = [other for other in found if other.rank < best_so_far]
            if not found:
                break
            beam = self._promising(found)[: self._limits.beam]
            self.front.extend(beam)
        return self.front

    def _promising(self, states: Sequence[Refined]) -> list[Refined]:
        """A few of `states`: of those about as small as the smallest the fastest, then by rank."""
        if not states:
            return []
        least = min(state.live_peak_bytes for state in states)
        close = [state for state in states if state.live_peak_bytes <= least * ABOUT_EQUAL]
        fastest = min(close, key=lambda state: (state.instructions, state.rank))
        others = sorted((state for state in states if state is not fastest), key=lambda state: state.rank)
        return [fastest, *others[: RECUT + self._limits.beam - 1]]

    def _cut_anew(self, state: Refined) -> Refined:
        """`state` with the cuts that are best for it, not for what it came from."""
        step_graph = steps_along(state.split, self._limits.axes)
        scores = attention_scores(state.split) if state.streams_attention else frozenset()
        schedule = best_cuts(step_graph, state.schedule.nodes, state.split.stock, scores)
        other = self._scheduled(state, step_graph, schedule, state.again)
        return min(state, other, key=lambda found: found.rank)

    def instructions(self, state: Refined) -> float:
        """Predicted for all split steps of `state`."""
        total = []
        costs = [row_op_cost(op, self._limits.board) for op in state.split.row_ops]
        for s in state.schedule.steps:
            step = state.step_graph.steps[s]
            if step.row_op is not None:
                total.append(costs[step.row_op].step(step.row))
        return fsum(total)

    def _evaluated(self, base: Refined, groups: Mapping[int, Sizes], again: frozenset[int]) -> Refined | None:
        options = replace(base.options, channel_groups=dict(groups))
        try:
            split = fit(self._cut, options)
        except Refusal:
            return None
        if split.stock != base.split.stock:
            return None
        step_graph = steps_along(split, self._limits.axes)
        dependencies = node_dependencies(step_graph)
        order = [s for group in base.schedule.groups() for s in streaming_order(step_graph, group, dependencies)]
        schedule = replace(base.schedule, steps=tuple(order), live_peak_bytes=live_peak(step_graph, order))
        found = self._scheduled(replace(base, options=options, split=split), step_graph, schedule, again)
        # Where no rows stream, cuts cost nothing and are everywhere: those of `base` would keep groups from streaming, too.
        return found if "rows" in self._limits.axes else self._cut_anew(found)

    def _scheduled(self, state: Refined, step_graph: StepGraph, schedule: Schedule, again: frozenset[int]) -> Refined:
        """`state` under a schedule, the rows of `again` made anew where that can be."""
        again &= recomputable(step_graph, schedule) if again else again
        if again:
            unrolled = recompute(step_graph, schedule, again)
            step_graph, schedule = unrolled.step_graph, unrolled.schedule
        return self._measured(replace(state, step_graph=step_graph, schedule=schedule, again=again))

    def _measured(self, state: Refined) -> Refined:
        """`state` with what the search judges it by."""
        steps = state.schedule.steps
        crowd = live_bytes(state.step_graph, len(steps), lives(state.step_graph, steps))
        crowded = int((crowd >= CROWDED * state.live_peak_bytes).sum())
        return replace(state, instructions=self.instructions(state), crowded_steps=crowded)

    def _moves(self, base: Refined) -> Iterator[tuple[Mapping[int, Sizes], frozenset[int]]]:
        """Channel groups to try next, coarse ones first; concatenations to do without; then operators to recompute."""
        now = base.options.channel_groups
        held = _held_at_peak(base, self._graph)
        seen: set[tuple[int, tuple[int, ...]]] = set()
        for allowed in (self._cuttable - self._summed, self._cuttable):  # sums cost memory of their own: they come last
            cuttable = [t for t in held if t in allowed]
            connected = [_connected(self._graph, t, allowed) for t in cuttable]
            for share in SHARES:
                for t, others in zip(cuttable, connected, strict=True):
                    for tensors in ((t,), others):
                        sizes = _sizes(self._graph.tensors[t].shape[-1], share)
                        if (share, tensors) in seen or sizes is None or len(sizes) <= len(now.get(t, (1,))):
                            continue
                        seen.add((share, tensors))
                        yield {**now, **dict.fromkeys(tensors, sizes)}, base.again
        for t in held:
            if t in self._joints and t not in now:
                for tensors in dict.fromkeys(((t,), _connected(self._graph, t, self._cuttable))):
                    yield {**now, **dict.fromkeys(tensors, self._joints[t])}, base.again
        if self._limits.allow_extra_macs:
            yield from self._recomputations(base, held)

    def _recomputations(
        self, base: Refined, held: Sequence[int]
    ) -> Iterator[tuple[Mapping[int, Sizes], frozenset[int]]]:
        """A tensor's rows made anew: as they are, or by groups, of which then only one at a time is ever there."""
        now = base.options.channel_groups
        producers = self._graph.producers()
        for t in held:
            maker = producers.get(t)
            if maker is None or maker in base.again or maker in base.split.stock:
                continue
            yield now, base.again | {maker}
            if t in self._cuttable:
                for share in SHARES[1::2]:
                    sizes = _sizes(self._graph.tensors[t].shape[-1], share)
                    if sizes is not None and len(sizes) >= len(now.get(t, (1,))):
                        yield {**now, t: sizes}, base.again | {maker}


def _sizes(channels: int, share: int) -> Sizes | None:
    """About `share` groups of whole multiples of `MIN_GROUP` channels; None when there are not that many channels."""
    group = -(-channels // share)
    group = -(-group // MIN_GROUP) * MIN_GROUP
    if group >= channels or -(-channels // group) < share - share // 3:
        return None
    return equal_groups(channels, group)


def _held_at_peak(base: Refined, graph: Graph) -> list[int]:
    """Tensors of which the most crowded step keeps rows, most bytes first; a group of channels stands for its tensor."""
    step_graph, order = base.step_graph, base.schedule.steps
    alive = lives(step_graph, order)
    crowd = live_bytes(step_graph, len(order), alive)
    at = int(np.argmax(crowd))
    storages = base.split.storages.storages
    held: dict[int, int] = {}
    for p, (start, stop) in alive.items():
        piece = step_graph.pieces[p]
        if start <= at < stop and piece.storage < len(storages):
            for t in storages[piece.storage].tensors:
                whole = base.split.part_of.get(t, t)
                held[whole] = held.get(whole, 0) + piece.bytes
    return sorted((t for t in held if t < len(graph.tensors)), key=lambda t: (-held[t], t))


def _connected(graph: Graph, tensor: int, cuttable: frozenset[int]) -> tuple[int, ...]:
    """Tensors of the same channel count that operators reach from `tensor` through cuttable ones, itself among them."""
    producers, consumers = graph.producers(), graph.consumers()
    channels = graph.tensors[tensor].shape[-1]
    found = {tensor}
    todo = [tensor]
    while todo:
        t = todo.pop()
        near = [graph.operators[k].outputs[0] for k in consumers.get(t, ())]
        if t in producers:
            near += list(graph.operators[producers[t]].inputs)
        for n in near:
            if n in cuttable and n not in found and graph.tensors[n].shape[-1] == channels:
                found.add(n)
                todo.append(n)
    return tuple(sorted(found))
