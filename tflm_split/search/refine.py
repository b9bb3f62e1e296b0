"""From the bottleneck outwards: which tensors should be cut along channels too, which rows computed again?

Starts from a schedule, looks at the step where most bytes live, and tries to cut each tensor that lives there, and those
connected to it channel by channel, into groups of several sizes; where the user allows slower programs, also to compute
its rows again instead of keeping them. The best few changes are kept and the search goes on from their bottlenecks,
until nothing helps or the effort is spent (MoteNN's loop, on rows and channels). How much slower a result may be than
rows alone is a limit, on instructions predicted for a board.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from math import fsum

import numpy as np

from tflm_split.analysis.latency import row_op_cost
from tflm_split.errors import Refusal
from tflm_split.ir.graph import Graph
from tflm_split.plan.progress import Tick, no_tick
from tflm_split.rewrite.copy_operators import Copy
from tflm_split.rewrite.tile_columns import Tiles
from tflm_split.schedule.cuts import Schedule, best_cuts, groups
from tflm_split.schedule.heights import steps_along
from tflm_split.schedule.lives import live_bytes, live_peak, lives
from tflm_split.schedule.orders import candidate_orders
from tflm_split.schedule.step_graph import StepGraph, node_dependencies
from tflm_split.schedule.streaming import streaming_order
from tflm_split.search.propose.copies import copies_to_try, stay_inside
from tflm_split.search.propose.recompute import recomputable, recompute
from tflm_split.search.propose.tiles import tiles_to_try
from tflm_split.search.rewritten import renumbering, rescheduled
from tflm_split.split.attention import attention_scores
from tflm_split.split.axes.allowed import ALL_AXES
from tflm_split.split.channel_rules import Sizes, equal_groups, groupable, joined, summed
from tflm_split.split.regions import Cut, Split, SplitOptions, cut_operators, fit

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


Rewrite = Copy | Tiles
"""A change of the graph before it is split."""


@dataclass(frozen=True, slots=True)
class Refined:
    """A split, its steps and the best schedule found for it.

    `again`: operators whose rows are computed anew for each step that reads them. `rewrites` were done
    to the graph, one after the other, before it was split. `streams_attention`: no cut makes
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
    rewrites: tuple[Rewrite, ...] = ()

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


@dataclass(frozen=True, slots=True)
class _Ground:
    """Operators cut, channels not grouped yet; and which tensors' channels could be (`channel_groups.py`)."""

    cut: Cut
    cuttable: frozenset[int]
    summed: frozenset[int]
    joints: Mapping[int, Sizes]

    @staticmethod
    def of(graph: Graph, axes: frozenset[str]) -> _Ground:
        cut = cut_operators(graph)
        if "channels" not in axes:
            return _Ground(cut, frozenset(), frozenset(), {})
        return _Ground(cut, groupable(graph, cut.pieces), summed(graph, cut.pieces), joined(graph, cut.pieces))

    @property
    def graph(self) -> Graph:
        return self.cut.graph


@dataclass(frozen=True, slots=True)
class _Change:
    """Decisions to try in place of a state's own; `rewrites` come after those the state has already."""

    channel_groups: Mapping[int, Sizes]
    again: frozenset[int]
    rewrites: tuple[Rewrite, ...] = ()


class Search:
    """The search from one start, which groups no channels yet. `front` holds every state that was kept, the start first."""

    def __init__(self, start: Refined, limits: Limits) -> None:
        self._limits = limits
        self._left = limits.evaluations
        self._grounds = {start.rewrites: _Ground.of(start.split.graph, limits.axes)}
        self.start = self._measured(start)
        self._limit = max(limits.max_slowdown, NOISE) * self.start.instructions
        self.front: list[Refined] = [self.start]
        self._tick: Tick = no_tick

    def run(self, tick: Tick = no_tick) -> list[Refined]:
        """`front` when nothing helps any more; `tick` is called with each change that is tried, and on its way."""
        self._tick = tick
        beam = [self.start]
        tried: set[object] = set()
        while self._left > 0:
            found: list[Refined] = []
            for state in beam:
                for change in self._changes(state):
                    self._tick()
                    groups = tuple(sorted(change.channel_groups.items()))
                    key = (groups, change.again, state.rewrites, change.rewrites, state.schedule.cuts)
                    if key in tried:
                        continue
                    if self._left <= 0:
                        break
                    tried.add(key)
                    self._left -= 1
                    other = self._evaluated(state, change)
                    if other is not None and other.instructions <= self._limit:
                        found.append(other)
            found = [self._cut_anew(other) for other in self._promising(found)]
            found = [other for other in found if other.instructions <= self._limit]
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
        orders = [state.schedule.nodes]
        if state.rewrites:  # with fewer readers for each tensor, others may be better
            orders += candidate_orders(state.split, step_graph)
        found = [state]
        for nodes in dict.fromkeys(orders):
            self._tick()
            schedule = best_cuts(step_graph, nodes, state.split.stock, scores)
            found.append(self._scheduled(state, step_graph, schedule, state.again))
        return min(found, key=lambda other: other.rank)

    def instructions(self, state: Refined) -> float:
        """Predicted for all split steps of `state`."""
        return fsum(cost for _, cost in self._costs(state))

    def _costs(self, state: Refined) -> Iterator[tuple[int, float]]:
        """Node and predicted instructions of each split step."""
        costs = [row_op_cost(op, self._limits.board) for op in state.split.row_ops]
        for s in state.schedule.steps:
            step = state.step_graph.steps[s]
            if step.row_op is not None:
                yield step.node, costs[step.row_op].step(step.row)

    def _ground(self, rewrites: tuple[Rewrite, ...]) -> _Ground:
        if rewrites not in self._grounds:
            graph = rewrites[-1].applied(self._ground(rewrites[:-1]).graph)
            self._grounds[rewrites] = _Ground.of(graph, self._limits.axes)
        return self._grounds[rewrites]

    def _evaluated(self, base: Refined, change: _Change) -> Refined | None:
        options = replace(base.options, channel_groups=dict(change.channel_groups))
        if not any(op.kind == "CONCATENATION" for op in self.start.split.graph.operators):
            options = replace(options, concatenate_in_place=True)  # tiles'
        rewrites = (*base.rewrites, *change.rewrites)
        before, ground = self._ground(base.rewrites).graph, self._ground(rewrites)
        try:
            split = fit(ground.cut, options)
        except Refusal:
            return None
        stock, again, schedule = base.split.stock, change.again, base.schedule
        if change.rewrites:
            now = renumbering(before, ground.graph)
            stock, again = (frozenset(now[n] for n in nodes if n in now) for nodes in (stock, again))
            schedule = rescheduled(schedule, before, ground.graph)
        made = range(len(self.start.split.graph.tensors), len(ground.graph.tensors))
        if split.stock != stock or not stay_inside(split, made):
            return None
        state = replace(base, options=options, split=split, rewrites=rewrites)
        makers = [*sorted(change.again - base.again), *(rewrite.operators[-1] for rewrite in change.rewrites)]
        apart = _uncut(schedule, ground.graph, stock, {before.operators[n].outputs[0] for n in makers})
        self._tick()
        step_graph = steps_along(split, self._limits.axes)
        self._tick()
        dependencies = node_dependencies(step_graph)
        found = []
        for cuts in dict.fromkeys((schedule.cuts, apart)):
            self._tick()
            parts = groups(schedule.nodes, cuts)
            order = [s for group in parts for s in streaming_order(step_graph, group, dependencies)]
            schedule = Schedule(schedule.nodes, cuts, tuple(order), live_peak(step_graph, order))
            self._tick()
            found.append(self._scheduled(state, step_graph, schedule, again))
        other = min(found, key=lambda other: other.rank)
        # Where no rows stream, cuts cost nothing and are everywhere: those of `base` would keep groups from streaming, too.
        return other if "rows" in self._limits.axes else self._cut_anew(other)

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

    def _changes(self, base: Refined) -> Iterator[_Change]:
        """What to try next: copies of operators; channel groups, coarse ones first; concatenations to do without; rows made
        again."""
        now = base.options.channel_groups
        ground = self._ground(base.rewrites)
        graph = ground.graph
        held = _held_at_peak(base, graph)
        if "rows" in self._limits.axes:
            yield from self._copies(base, graph, held)
        seen: set[tuple[int, tuple[int, ...]]] = set()
        # Sums cost memory of their own: they come last.
        for allowed in (ground.cuttable - ground.summed, ground.cuttable):
            cuttable = [t for t in held if t in allowed]
            connected = [_connected(graph, t, allowed) for t in cuttable]
            for share in SHARES:
                for t, others in zip(cuttable, connected, strict=True):
                    for tensors in ((t,), others):
                        sizes = _sizes(graph.tensors[t].shape[-1], share)
                        if (share, tensors) in seen or sizes is None or len(sizes) <= len(now.get(t, (1,))):
                            continue
                        seen.add((share, tensors))
                        yield _Change({**now, **dict.fromkeys(tensors, sizes)}, base.again)
        for t in held:
            if t in ground.joints and t not in now:
                for tensors in dict.fromkeys(((t,), _connected(graph, t, ground.cuttable))):
                    yield _Change({**now, **dict.fromkeys(tensors, ground.joints[t])}, base.again)
        if "rows" in self._limits.axes:
            yield from self._recomputations(base, ground, held)
        for t in held if self._limits.axes >= {"rows", "columns"} else ():
            for tiles in tiles_to_try(graph, t, base.split.stock, self._limits.allow_extra_macs):
                yield _Change(now, base.again, (tiles,))

    def _with_macs(self, base: Refined) -> frozenset[int]:
        """Operators that must not be done twice: all with multiply-accumulates, unless the user allows more of those."""
        if self._limits.allow_extra_macs:
            return frozenset()
        return frozenset(op.source for op in base.split.row_ops if op.macs_per_step)

    def _copies(self, base: Refined, graph: Graph, held: Mapping[int, int]) -> Iterator[_Change]:
        """A tensor made again for its late readers, as far as the limit on slowdown allows."""
        costs = dict.fromkeys(range(len(graph.operators)), 0.0)
        for n, cost in self._costs(base):
            costs[n] += cost
        for n in base.split.stock | self._with_macs(base):
            del costs[n]
        allowance = self._limit - base.instructions
        for t in held:
            for copies in copies_to_try(graph, base.schedule.nodes, t, held, costs, allowance):
                yield _Change(base.options.channel_groups, base.again, copies)

    def _recomputations(self, base: Refined, ground: _Ground, held: Mapping[int, int]) -> Iterator[_Change]:
        """A tensor's rows made anew: as they are, or by groups, of which then only one at a time is ever there."""
        now = base.options.channel_groups
        producers = ground.graph.producers()
        spared = base.again | base.split.stock | self._with_macs(base)
        for t in held:
            maker = producers.get(t)
            if maker is None or maker in spared:
                continue
            yield _Change(now, base.again | {maker})
            if t in ground.cuttable:
                for share in SHARES[1::2]:
                    sizes = _sizes(ground.graph.tensors[t].shape[-1], share)
                    if sizes is not None and len(sizes) >= len(now.get(t, (1,))):
                        yield _Change({**now, t: sizes}, base.again | {maker})


def _sizes(channels: int, share: int) -> Sizes | None:
    """About `share` groups of whole multiples of `MIN_GROUP` channels; None when there are not that many channels."""
    group = -(-channels // share)
    group = -(-group // MIN_GROUP) * MIN_GROUP
    if group >= channels or -(-channels // group) < share - share // 3:
        return None
    return equal_groups(channels, group)


def _uncut(schedule: Schedule, graph: Graph, stock: frozenset[int], tensors: AbstractSet[int]) -> tuple[int, ...]:
    """The cuts of `schedule` without those that make `tensors` whole, where no stock operator stands in the way."""
    position = {n: k for k, n in enumerate(schedule.nodes)}
    producers, consumers = graph.producers(), graph.consumers()
    cuts = schedule.cuts
    for t in sorted(tensors):
        first = position[producers[t]]
        last = max((position[n] for n in consumers.get(t, ())), default=first)
        if not stock.intersection(schedule.nodes[first : last + 1]):
            cuts = tuple(cut for cut in cuts if not first < cut <= last)
    return cuts


def _held_at_peak(base: Refined, graph: Graph) -> dict[int, int]:
    """Bytes by tensor of what the most crowded step keeps, most first; a group of channels stands for its tensor."""
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
    return {t: held[t] for t in sorted(held, key=lambda t: (-held[t], t)) if t < len(graph.tensors)}


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
