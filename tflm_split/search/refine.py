"""Which changes lower the live peak of a schedule? A beam search that starts at the bottleneck.

The bottleneck is the step with most bytes alive. For each tensor that lives there the search tries these changes:

* cut it into groups of channels, alone or with the tensors connected to it channel by channel;
* copy the operators that make it, for its late readers;
* recompute its rows instead of keeping them;
* compute it in tiles of columns.

The best few changes form the next beam, and the search goes on from their bottlenecks. It ends when nothing helps or the
effort is spent. This is MoteNN's loop, on more kinds of change. A limit bounds how much slower a result may be than
streaming rows alone, in instructions predicted for a board.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from math import fsum

import numpy as np

from tflm_split.analysis.latency import StepCosts
from tflm_split.errors import Refusal
from tflm_split.ir.graph import Graph
from tflm_split.plan.progress import Tick, no_tick
from tflm_split.rewrite.copy_operators import Copy
from tflm_split.rewrite.tile_columns import Tiles
from tflm_split.schedule.cuts import Schedule, best_cuts, groups
from tflm_split.schedule.heights import steps_along
from tflm_split.schedule.lives import live_bytes, live_bytes_apart, live_peak, lives
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
"""Numbers of channel groups to try for a tensor."""
MIN_GROUP = 4
"""Channel groups are multiples of this many channels, because the kernels work on four at a time."""
ABOUT_EQUAL = 1.005
"""Peaks within this factor of the smallest one count as equal; of those, the fastest program wins."""
CROWDED = 0.97
"""Steps with more than this share of the peak count as bottlenecks. Having fewer of them is progress, too."""
EXTRA_RECUTS = 2
"""In each round the best states get new cuts: as many as the beam is wide, and this many more.

New cuts are expensive. So all states are first compared under the cuts of the state they came from.
"""
NOISE = 1.01
"""Slowdowns below this factor are treated as noise of the prediction."""


Rewrite = Copy | Tiles
"""A change of the graph, made before it is split."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A state of the search: a split graph, its steps and a schedule for them."""

    options: SplitOptions
    split: Split
    step_graph: StepGraph
    schedule: Schedule
    recomputed: frozenset[int] = frozenset()
    """Operators whose rows are computed again for each step that reads them."""
    instructions: float = 0.0
    """Of the split operators, predicted for the board of the search."""
    crowded_steps: int = 0
    """Steps with more than `CROWDED` of the live peak."""
    streams_attention: bool = False
    """Whether no cut may make attention scores whole."""
    unpolished: Schedule | None = None
    """The schedule before polishing; its layout is sometimes the smaller one. None when `schedule` was not polished."""
    rewrites: tuple[Rewrite, ...] = ()
    """Rewrites that the graph went through before it was split, in this order."""

    @property
    def live_peak_bytes(self) -> int:
        return self.schedule.live_peak_bytes

    @property
    def rank(self) -> tuple[int, int]:
        """Sort key, best first: the live peak, then the number of steps near it."""
        return self.live_peak_bytes, self.crowded_steps


@dataclass(frozen=True, slots=True)
class Limits:
    """What a search may spend and do."""

    evaluations: int
    """Changes that may be evaluated."""
    board: str
    """The board that instructions are predicted for."""
    max_slowdown: float
    """Most instructions of a result, as a multiple of those of the start. `NOISE` is always allowed."""
    beam: int = 1
    """States that each round goes on from."""
    allow_extra_macs: bool = False
    """Whether multiply-accumulates may be done twice."""
    axes: frozenset[str] = ALL_AXES
    """The axes that tensors may be cut along."""


@dataclass(frozen=True, slots=True)
class _CutGraph:
    """A graph with its operators cut into rows, and what `channel_rules.py` says of its tensors. No channels are grouped."""

    cut: Cut
    groupable: frozenset[int]
    """Tensors that could be cut along channels."""
    summed: frozenset[int]
    """Those of them whose groups some reader must add up, in int32 sums."""
    joined: Mapping[int, Sizes]
    """Tensor that a concatenation along channels makes -> the channels of each of its inputs."""

    @staticmethod
    def of(graph: Graph, axes: frozenset[str]) -> _CutGraph:
        """`graph` cut into rows. Without channels among `axes`, no tensor can be grouped."""
        cut = cut_operators(graph)
        if "channels" not in axes:
            return _CutGraph(cut, frozenset(), frozenset(), {})
        return _CutGraph(cut, groupable(graph, cut.pieces), summed(graph, cut.pieces), joined(graph, cut.pieces))

    @property
    def graph(self) -> Graph:
        return self.cut.graph


@dataclass(frozen=True, slots=True)
class _Change:
    """What to change about a state: its channel groups and recomputed operators are replaced, `rewrites` are added."""

    channel_groups: Mapping[int, Sizes]
    recomputed: frozenset[int]
    rewrites: tuple[Rewrite, ...] = ()


class Search:
    """A beam search from one state, which groups no channels. `front` holds every state that was kept, the start first."""

    def __init__(self, start: Candidate, limits: Limits) -> None:
        self._limits = limits
        self._evaluations_left = limits.evaluations
        self._step_costs = StepCosts(limits.board)
        self._cut_graphs = {start.rewrites: _CutGraph.of(start.split.graph, limits.axes)}
        self.start = self._measured(start)
        self._limit = max(limits.max_slowdown, NOISE) * self.start.instructions
        self.front: list[Candidate] = [self.start]
        self._tick: Tick = no_tick

    def run(self, tick: Tick = no_tick) -> list[Candidate]:
        """Search until nothing helps or the evaluations are used up, and return `front`.

        `tick` is called before each change that is evaluated, and several times during the evaluation.
        """
        self._tick = tick
        beam = [self.start]
        tried: set[object] = set()
        while self._evaluations_left > 0:
            neighbours: list[Candidate] = []
            for state in beam:
                for change in self._changes(state):
                    self._tick()
                    groups = tuple(sorted(change.channel_groups.items()))
                    key = (groups, change.recomputed, state.rewrites, change.rewrites, state.schedule.cuts)
                    if key in tried:
                        continue
                    if self._evaluations_left <= 0:
                        break
                    tried.add(key)
                    self._evaluations_left -= 1
                    other = self._evaluated(state, change)
                    if other is not None and other.instructions <= self._limit:
                        neighbours.append(other)
            recut = [self._with_best_cuts(other) for other in self._promising(neighbours)]
            best_so_far = min(state.rank for state in self.front)
            better = [other for other in recut if other.instructions <= self._limit and other.rank < best_so_far]
            if not better:
                break
            beam = self._promising(better)[: self._limits.beam]
            self.front.extend(beam)
        return self.front

    def _promising(self, states: Sequence[Candidate]) -> list[Candidate]:
        """The best few of `states`: first the fastest of those with about the least peak, then the others by rank."""
        if not states:
            return []
        least = min(state.live_peak_bytes for state in states)
        close = [state for state in states if state.live_peak_bytes <= least * ABOUT_EQUAL]
        fastest = min(close, key=lambda state: (state.instructions, state.rank))
        others = sorted((state for state in states if state is not fastest), key=lambda state: state.rank)
        return [fastest, *others[: EXTRA_RECUTS + self._limits.beam - 1]]

    def _with_best_cuts(self, state: Candidate) -> Candidate:
        """`state` with the best cuts of its own. Until then it has those of the state it came from."""
        step_graph = steps_along(state.split, self._limits.axes)
        scores = attention_scores(state.split) if state.streams_attention else frozenset()
        orders = [state.schedule.nodes]
        if state.rewrites:  # a rewritten graph has other readers, so other orders of its operators may be better
            orders += candidate_orders(state.split, step_graph)
        options = [state]
        for nodes in dict.fromkeys(orders):
            self._tick()
            schedule = best_cuts(step_graph, nodes, state.split.stock, scores)
            options.append(self._scheduled(state, step_graph, schedule, state.recomputed))
        return min(options, key=lambda option: option.rank)

    def instructions(self, state: Candidate) -> float:
        """Predicted instructions of all split steps of `state`."""
        if state.recomputed:
            return fsum(cost for _, cost in self._costs(state))
        # Steps are numbered row op by row op. Those of stock operators come last.
        costs = [cost for op in state.split.row_ops for cost in self._step_costs.of(op)]
        split_steps = len(costs)
        return fsum([costs[s] for s in state.schedule.steps if s < split_steps])

    def _costs(self, state: Candidate) -> Iterator[tuple[int, float]]:
        """Node and predicted instructions of each split step."""
        costs = [self._step_costs.of(op) for op in state.split.row_ops]
        steps = state.step_graph.steps
        for s in state.schedule.steps:
            step = steps[s]
            if step.row_op is not None:
                yield step.node, costs[step.row_op][step.row]

    def _cut_graph(self, rewrites: tuple[Rewrite, ...]) -> _CutGraph:
        """The start's graph after `rewrites`, cut. Each is made once."""
        if rewrites not in self._cut_graphs:
            graph = rewrites[-1].applied(self._cut_graph(rewrites[:-1]).graph)
            self._cut_graphs[rewrites] = _CutGraph.of(graph, self._limits.axes)
        return self._cut_graphs[rewrites]

    def _evaluated(self, base: Candidate, change: _Change) -> Candidate | None:
        """`base` with `change` made, under the cuts of `base`. None when the change does not fit the operators.

        Two sets of cuts are tried: those of `base`, and those without the ones that would make a recomputed or rewritten
        tensor whole. The better schedule is kept.
        """
        options = replace(base.options, channel_groups=dict(change.channel_groups))
        if not any(op.kind == "CONCATENATION" for op in self.start.split.graph.operators):
            options = replace(options, concatenate_in_place=True)  # only tiles add concatenations
        rewrites = (*base.rewrites, *change.rewrites)
        before, cut_graph = self._cut_graph(base.rewrites).graph, self._cut_graph(rewrites)
        try:
            split = fit(cut_graph.cut, options)
        except Refusal:
            return None
        stock, recomputed, schedule = base.split.stock, change.recomputed, base.schedule
        if change.rewrites:
            now = renumbering(before, cut_graph.graph)
            stock, recomputed = (frozenset(now[n] for n in nodes if n in now) for nodes in (stock, recomputed))
            schedule = rescheduled(schedule, before, cut_graph.graph)
        made = range(len(self.start.split.graph.tensors), len(cut_graph.graph.tensors))
        if split.stock != stock or not stay_inside(split, made):
            return None
        state = replace(base, options=options, split=split, rewrites=rewrites)
        # Tensors that this change makes anew: to keep them whole would undo it.
        makers = [*sorted(change.recomputed - base.recomputed), *(rewrite.operators[-1] for rewrite in change.rewrites)]
        fewer_cuts = _uncut(schedule, cut_graph.graph, stock, {before.operators[n].outputs[0] for n in makers})
        self._tick()
        step_graph = steps_along(split, self._limits.axes)
        self._tick()
        dependencies = node_dependencies(step_graph)
        schedules = []
        for cuts in dict.fromkeys((schedule.cuts, fewer_cuts)):
            self._tick()
            parts = groups(schedule.nodes, cuts)
            order = [s for group in parts for s in streaming_order(step_graph, group, dependencies)]
            schedule = Schedule(schedule.nodes, cuts, tuple(order), live_peak(step_graph, order))
            self._tick()
            schedules.append(self._scheduled(state, step_graph, schedule, recomputed))
        other = min(schedules, key=lambda other: other.rank)
        # Where rows may not stream, cuts cost nothing, so `base` has one everywhere. They would keep channel groups from
        # streaming, too. So new cuts are needed at once.
        return other if "rows" in self._limits.axes else self._with_best_cuts(other)

    def _scheduled(
        self, state: Candidate, step_graph: StepGraph, schedule: Schedule, recomputed: frozenset[int]
    ) -> Candidate:
        """`state` under a schedule. The rows of `recomputed` are computed again for each reader, where that is possible."""
        recomputed &= recomputable(step_graph, schedule) if recomputed else recomputed
        if recomputed:
            unrolled = recompute(step_graph, schedule, recomputed)
            step_graph, schedule = unrolled.step_graph, unrolled.schedule
        return self._measured(replace(state, step_graph=step_graph, schedule=schedule, recomputed=recomputed))

    def _measured(self, state: Candidate) -> Candidate:
        """`state` with its predicted instructions and its number of crowded steps."""
        steps = state.schedule.steps
        crowd = live_bytes_apart(state.step_graph, steps)
        crowded = int((crowd >= CROWDED * state.live_peak_bytes).sum())
        return replace(state, instructions=self.instructions(state), crowded_steps=crowded)

    def _changes(self, base: Candidate) -> Iterator[_Change]:
        """Changes to try, in this order.

        1. Copies of operators.
        2. Channel groups, few large ones first. Cuts that need int32 sums come last, for the sums take memory of their own.
        3. Groups as wide as the inputs of a concatenation, which then needs no copy.
        4. Recomputed rows.
        5. Tiles of columns.
        """
        now = base.options.channel_groups
        cut_graph = self._cut_graph(base.rewrites)
        graph = cut_graph.graph
        held = _held_at_peak(base, graph)
        if "rows" in self._limits.axes:
            yield from self._copies(base, graph, held)
        seen: set[tuple[int, tuple[int, ...]]] = set()
        for allowed in (cut_graph.groupable - cut_graph.summed, cut_graph.groupable):
            cuttable = [t for t in held if t in allowed]
            connected = [_connected(graph, t, allowed) for t in cuttable]
            for share in SHARES:
                for t, others in zip(cuttable, connected, strict=True):
                    for tensors in ((t,), others):
                        sizes = _sizes(graph.tensors[t].shape[-1], share)
                        if (share, tensors) in seen or sizes is None or len(sizes) <= len(now.get(t, (1,))):
                            continue
                        seen.add((share, tensors))
                        yield _Change({**now, **dict.fromkeys(tensors, sizes)}, base.recomputed)
        for t in held:
            if t in cut_graph.joined and t not in now:
                for tensors in dict.fromkeys(((t,), _connected(graph, t, cut_graph.groupable))):
                    yield _Change({**now, **dict.fromkeys(tensors, cut_graph.joined[t])}, base.recomputed)
        if "rows" in self._limits.axes:
            yield from self._recomputations(base, cut_graph, held)
        for t in held if self._limits.axes >= {"rows", "columns"} else ():
            for tiles in tiles_to_try(graph, t, base.split.stock, self._limits.allow_extra_macs):
                yield _Change(now, base.recomputed, (tiles,))

    def _with_macs(self, base: Candidate) -> frozenset[int]:
        """Operators that must not run twice: those with multiply-accumulates, unless the user allows extra ones."""
        if self._limits.allow_extra_macs:
            return frozenset()
        return frozenset(op.source for op in base.split.row_ops if op.macs_per_step)

    def _copies(self, base: Candidate, graph: Graph, held: Mapping[int, int]) -> Iterator[_Change]:
        """Copies of the operators that make a tensor, for its late readers, within the limit on slowdown."""
        costs = dict.fromkeys(range(len(graph.operators)), 0.0)
        for n, cost in self._costs(base):
            costs[n] += cost
        for n in base.split.stock | self._with_macs(base):
            del costs[n]
        allowance = self._limit - base.instructions
        for t in held:
            for copies in copies_to_try(graph, base.schedule.nodes, t, held, costs, allowance):
                yield _Change(base.options.channel_groups, base.recomputed, copies)

    def _recomputations(self, base: Candidate, cut_graph: _CutGraph, held: Mapping[int, int]) -> Iterator[_Change]:
        """A tensor's rows computed again for each reader: whole rows, or groups of channels, one of which lives at a time."""
        now = base.options.channel_groups
        producers = cut_graph.graph.producers()
        excluded = base.recomputed | base.split.stock | self._with_macs(base)
        for t in held:
            maker = producers.get(t)
            if maker is None or maker in excluded:
                continue
            yield _Change(now, base.recomputed | {maker})
            if t in cut_graph.groupable:
                for share in SHARES[1::2]:
                    sizes = _sizes(cut_graph.graph.tensors[t].shape[-1], share)
                    if sizes is not None and len(sizes) >= len(now.get(t, (1,))):
                        yield _Change({**now, t: sizes}, base.recomputed | {maker})


def _sizes(channels: int, share: int) -> Sizes | None:
    """Channels of each of about `share` equal groups, multiples of `MIN_GROUP`. None when there are too few channels."""
    group = -(-channels // share)
    group = -(-group // MIN_GROUP) * MIN_GROUP
    if group >= channels or -(-channels // group) < share - share // 3:
        return None
    return equal_groups(channels, group)


def _uncut(schedule: Schedule, graph: Graph, stock: frozenset[int], tensors: AbstractSet[int]) -> tuple[int, ...]:
    """The cuts of `schedule` without those that would make one of `tensors` whole.

    A tensor that lives across a stock operator keeps its cuts: it must be whole there anyway.
    """
    position = {n: k for k, n in enumerate(schedule.nodes)}
    producers, consumers = graph.producers(), graph.consumers()
    cuts = schedule.cuts
    for t in sorted(tensors):
        first = position[producers[t]]
        last = max((position[n] for n in consumers.get(t, ())), default=first)
        if not stock.intersection(schedule.nodes[first : last + 1]):
            cuts = tuple(cut for cut in cuts if not first < cut <= last)
    return cuts


def _held_at_peak(base: Candidate, graph: Graph) -> dict[int, int]:
    """Tensor -> bytes of it that live in the most crowded step, most bytes first. Channel groups count for their tensor."""
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
    """`tensor` and the groupable tensors of as many channels that it is connected to through operators."""
    producers, consumers = graph.producers(), graph.consumers()
    channels = graph.tensors[tensor].shape[-1]
    connected = {tensor}
    todo = [tensor]
    while todo:
        t = todo.pop()
        near = [graph.operators[k].outputs[0] for k in consumers.get(t, ())]
        if t in producers:
            near += list(graph.operators[producers[t]].inputs)
        for n in near:
            if n in cuttable and n not in connected and graph.tensors[n].shape[-1] == channels:
                connected.add(n)
                todo.append(n)
    return tuple(sorted(connected))
