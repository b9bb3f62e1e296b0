"""What does a decision give? Builds the split graph and the schedule, and scores them.

    Decision  ->  split, steps, order of steps  ->  live peak, crowded steps, predicted instructions

The live peak is a bound of the head, which is only known once everything has an address (`placing.py`). Graphs that
are rewritten in the same way are cut into rows once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import fsum

import numpy as np

from tflm_split.analysis.latency import StepCosts
from tflm_split.analysis.stock_latency import stock_instructions
from tflm_split.errors import Refusal
from tflm_split.ir.graph import Graph
from tflm_split.schedule.cuts import Schedule, best_cuts, groups
from tflm_split.schedule.heights import ALL_ROWS, taller
from tflm_split.schedule.lives import live_bytes_apart, live_peak, lives
from tflm_split.schedule.orders import candidate_orders
from tflm_split.schedule.recomputed import MAX_PATCHES, Patches, patchable, recomputable, recompute
from tflm_split.schedule.step_builder import build_step_graph
from tflm_split.schedule.step_builder_c import KnownOps
from tflm_split.schedule.step_graph import StepGraph
from tflm_split.schedule.streaming import streaming_order
from tflm_split.search.base import rewritten_split
from tflm_split.search.decision import Decision, Rewrite, Way
from tflm_split.search.rewritten import carried_over, rescheduled
from tflm_split.split.attention import attention_scores
from tflm_split.split.channel_rules import Sizes
from tflm_split.split.crossing import may_cross
from tflm_split.split.regions import Cut, Split, SplitOptions, cut_operators, fit

CROWDED = 0.97
"""Steps with more than this share of the peak count as bottlenecks. Having fewer of them is progress, too."""
PLAIN = Way()
KEPT_SPLITS = 8
"""So many split graphs are kept for decisions that differ in their order only."""


class CutGraph:
    """A rewritten graph, with its operators cut into rows, and what can be cut along channels. No channels are grouped."""

    def __init__(self, graph: Graph, before: CutGraph | None = None) -> None:
        self.graph, self._before = graph, before
        self._rewritten: dict[Rewrite, CutGraph] = {}

    def after(self, rewrite: Rewrite) -> CutGraph:
        """The graph after one more rewrite. Each is made once. Raises ModelError if it does not fit the graph."""
        if rewrite not in self._rewritten:
            self._rewritten[rewrite] = CutGraph(rewrite.applied(self.graph), self)
        return self._rewritten[rewrite]

    @cached_property
    def cut(self) -> Cut:
        return cut_operators(self.graph, self._before.cut if self._before else None)

    @property
    def groupable(self) -> frozenset[int]:
        """Tensors that could be cut along channels."""
        return self.cut.rules.groupable

    @property
    def summed(self) -> frozenset[int]:
        """Those of them whose groups some reader must add up, in int32 sums."""
        return self.cut.rules.summed

    @property
    def joined(self) -> Mapping[int, Sizes]:
        """Tensor that a concatenation along channels makes -> the channels of each of its inputs."""
        return self.cut.rules.joined


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A decision with what was built from it, and how good it is."""

    decision: Decision
    split: Split
    step_graph: StepGraph
    schedule: Schedule
    cut_graph: CutGraph = field(repr=False, compare=False)
    step_costs: StepCosts = field(repr=False, compare=False)
    instructions: float
    """Of the split operators, predicted."""
    crowded_steps: int
    """Steps with more than `CROWDED` of the live peak."""

    @property
    def live_peak_bytes(self) -> int:
        return self.schedule.live_peak_bytes

    @property
    def rank(self) -> tuple[int, int]:
        """Sort key, best first: the live peak, then the number of steps near it."""
        return self.live_peak_bytes, self.crowded_steps

    @property
    def graph(self) -> Graph:
        """The rewritten graph, without groups of channels."""
        return self.cut_graph.graph

    def costs(self) -> Iterator[tuple[int, float]]:
        """Node and predicted instructions of each split step."""
        costs = [self.step_costs.of(op) for op in self.split.row_ops]
        steps = self.step_graph.steps
        for s in self.schedule.steps:
            step = steps[s]
            if step.row_op is not None:
                yield step.node, costs[step.row_op][step.row]

    def busiest_call(self) -> float:
        """The most instructions from one call that brings rows of a streamed input to the next one; all where none does."""
        ops, steps = self.split.row_ops, self.step_graph.steps
        work = [0.0]
        costs = self.costs()
        for s in self.schedule.steps:
            step = steps[s]
            if step.row_op is None:
                continue
            if ops[step.row_op].begins_call(step.row):
                work.append(0.0)
            work[-1] += next(costs)[1]
        return max(work[:-1], default=work[0])

    def must_run_once(self, allow_extra_macs: bool) -> frozenset[int]:
        """Operators that must not run twice: those with multiply-accumulates, unless extra ones are allowed."""
        if allow_extra_macs:
            return frozenset()
        return frozenset(op.source for op in self.split.row_ops if op.macs_per_step)

    def rewritten(self, rewrites: Sequence[Rewrite]) -> Decision:
        """The same decision about a graph that is rewritten further. Operators that stay keep their places.

        What was decided about an operator, or about the channels that it makes, holds for it in each tile.
        """
        decision, before = self.decision, self.cut_graph
        groups, recomputed, patches = dict(decision.channel_groups), decision.recomputed, decision.patches
        for rewrite in rewrites:
            after = before.after(rewrite)
            now = carried_over(before.graph, after.graph, rewrite)
            makers = before.graph.producers()
            groups = {
                new: sizes
                for t, sizes in groups.items()
                for new in ((t,) if t not in makers else (after.graph.operators[n].outputs[0] for n in now[makers[t]]))
            }
            recomputed = frozenset(n for k in recomputed for n in now.get(k, ()))
            patches = _renumbered(patches, now)
            before = after
        schedule = rescheduled(self.schedule, self.graph, before.graph)
        return replace(
            decision.grouped(groups),
            rewrites=(*decision.rewrites, *rewrites),
            recomputed=recomputed,
            patches=patches,
            nodes=schedule.nodes,
            cuts=schedule.cuts,
        )

    def reordered(self, schedule: Schedule) -> Evaluation:
        """The same decision with its steps in another order, which costs as many instructions."""
        if schedule.steps == self.schedule.steps:
            return self
        return replace(self, decision=replace(self.decision, steps=schedule.steps), schedule=schedule)

    def held_at_peak(self) -> dict[int, int]:
        """Tensor -> bytes of it that live in the most crowded step, most bytes first. Groups count for their tensor."""
        order = self.schedule.steps
        at = int(np.argmax(live_bytes_apart(self.step_graph, order)))
        storages = self.split.storages.storages
        held: dict[int, int] = {}
        for p, (start, stop) in lives(self.step_graph, order).items():
            piece = self.step_graph.pieces[p]
            if start <= at < stop and piece.storage < len(storages):
                for t in storages[piece.storage].tensors:
                    whole = self.split.part_of.get(t, t)
                    held[whole] = held.get(whole, 0) + piece.bytes
        return {t: held[t] for t in sorted(held, key=lambda t: (-held[t], t)) if t < len(self.graph.tensors)}


@dataclass(frozen=True, slots=True)
class _Built:
    """A split graph and its steps. No row is computed twice yet."""

    split: Split
    step_graph: StepGraph


class Evaluator:
    """Evaluates decisions about `graph`. Instructions are predicted for `board`."""

    def __init__(self, graph: Graph, board: str) -> None:
        self.graph = graph
        self._board = board
        self.step_costs = StepCosts(board)
        self._bases: dict[Way, Split] = {}
        self._cut_graphs: dict[Way, CutGraph] = {}
        self._built: dict[object, _Built] = {}
        self._known_ops = KnownOps()

    def base(self, way: Way = PLAIN) -> Split:
        """The graph in its normal form and split along rows: what decisions of this `way` start from."""
        if way not in self._bases:
            options = SplitOptions(
                concatenate_in_place=way.concatenate_in_place, swap_axes=way.swap_axes, samples=way.samples
            )
            self._bases[way] = rewritten_split(self.graph, options)
        return self._bases[way]

    @cached_property
    def stock_instructions(self) -> float:
        """About what TFLM's own kernels take for the operators that are split; 0 where that is not known for the board."""
        base = self.base()
        return stock_instructions(base.graph, base.split_operators, self._board) or 0.0

    def cut_graph(self, way: Way, rewrites: tuple[Rewrite, ...]) -> CutGraph:
        """The base's graph after `rewrites`. Each is made once. Raises ModelError if they do not fit the graph."""
        if way not in self._cut_graphs:
            self._cut_graphs[way] = CutGraph(self.base(way).graph)
        cut_graph = self._cut_graphs[way]
        for rewrite in rewrites:
            cut_graph = cut_graph.after(rewrite)
        return cut_graph

    def stock(self, decision: Decision) -> frozenset[int]:
        """The operators of the rewritten graph that stay stock: those that were before the rewrites."""
        base, graph = self.base(decision.way), self._graph_of(decision).graph
        if not decision.rewrites:
            return base.stock
        makers = graph.producers()
        outputs = (base.graph.operators[n].outputs for n in base.stock)
        return frozenset(makers[made[0]] for made in outputs if made and made[0] in makers)

    def evaluate(self, decision: Decision) -> Evaluation:
        """Build and score `decision`. Raises Refusal when it does not fit the operators.

        Operators of `recomputed` that cannot be computed again are left out of the evaluation's decision.
        """
        built = self._build(decision)
        if decision.steps is not None:
            steps = decision.steps
            check_order(steps, built.step_graph)
            schedule = Schedule(decision.nodes, decision.cuts, steps, live_peak(built.step_graph, steps))
            return self._measured(decision, built, schedule)
        parts = groups(decision.nodes, decision.cuts)
        order = [s for group in parts for s in streaming_order(built.step_graph, group)]
        schedule = Schedule(decision.nodes, decision.cuts, tuple(order), live_peak(built.step_graph, order))
        return self._scheduled(decision, built, schedule)

    def with_best_cuts(self, state: Evaluation, orders: Sequence[Sequence[int]]) -> Iterator[Evaluation]:
        """`state` with the best cuts of each order of operators."""
        built = self._build(state.decision)
        scores = attention_scores(built.split) if state.decision.streams_attention else frozenset()
        for nodes in orders:
            schedule = best_cuts(built.step_graph, nodes, built.split.stock, scores)
            yield self._scheduled(state.decision, built, schedule)

    def orders(self, decision: Decision) -> tuple[tuple[int, ...], ...]:
        """Orders of the operators that are worth cutting; the file's first. The order in `decision` does not matter."""
        built = self._build(decision)
        return candidate_orders(built.split, built.step_graph)

    def streams_attention(self, decision: Decision) -> bool:
        """Whether there are attention scores that no cut need make whole."""
        return bool(attention_scores(self._build(decision).split))

    def first(self, decision: Decision) -> Evaluation:
        """`decision`, which needs no cuts yet, with the best cuts of its order of operators."""
        built = self._build(decision)
        scores = attention_scores(built.split) if decision.streams_attention else frozenset()
        schedule = best_cuts(built.step_graph, decision.nodes, built.split.stock, scores)
        return self._scheduled(decision, built, schedule)

    def _graph_of(self, decision: Decision) -> CutGraph:
        return self.cut_graph(decision.way, decision.rewrites)

    def _build(self, decision: Decision) -> _Built:
        key = (decision.way, decision.rows, decision.rewrites, decision.channel_groups)
        built = self._built.pop(key, None)
        if built is None:
            split = self._split(decision)
            step_graph = build_step_graph(split, known=self._known_ops)
            built = _Built(split, step_graph if decision.rows else taller(step_graph, ALL_ROWS))
        self._built[key] = built
        if len(self._built) > KEPT_SPLITS:
            del self._built[next(iter(self._built))]
        return built

    def _split(self, decision: Decision) -> Split:
        base = self.base(decision.way)
        if not decision.rewrites and not decision.channel_groups:
            return base
        cut_graph = self._graph_of(decision)
        # Only tiles add concatenations to a graph that has none, and these are always done in place.
        in_place = decision.concatenate_in_place or not any(op.kind == "CONCATENATION" for op in base.graph.operators)
        options = SplitOptions(concatenate_in_place=in_place, channel_groups=dict(decision.channel_groups))
        split = fit(cut_graph.cut, options)
        made = range(len(base.graph.tensors), len(cut_graph.graph.tensors))
        if split.stock != self.stock(decision) or not stay_inside(split, made):
            raise Refusal("neighbours", "a rewrite or a group of channels would reach out of its region")
        return split

    def _scheduled(self, decision: Decision, built: _Built, schedule: Schedule) -> Evaluation:
        """`decision` under a schedule. Rows are computed again where that is possible."""
        recomputed = decision.recomputed
        recomputed = recomputable(built.step_graph, schedule, recomputed) if recomputed else recomputed
        patches = tuple(block for block in decision.patches if patchable(built.step_graph, schedule, block))
        if recomputed or patches:
            unrolled = recompute(built.step_graph, schedule, recomputed, patches)
            built, schedule = _Built(built.split, unrolled.step_graph), unrolled.schedule
        decision = replace(decision, nodes=schedule.nodes, cuts=schedule.cuts, recomputed=recomputed, patches=patches)
        return self._measured(decision, built, schedule)

    def _measured(self, decision: Decision, built: _Built, schedule: Schedule) -> Evaluation:
        """With its predicted instructions and its number of crowded steps."""
        crowd = live_bytes_apart(built.step_graph, schedule.steps)
        crowded = int((crowd >= CROWDED * schedule.live_peak_bytes).sum())
        evaluation = Evaluation(
            decision, built.split, built.step_graph, schedule, self._graph_of(decision), self.step_costs, 0.0, crowded
        )
        return replace(evaluation, instructions=_instructions(evaluation))


def _instructions(state: Evaluation) -> float:
    """Predicted instructions of all split steps of `state`."""
    if state.decision.computes_again:
        return fsum(cost for _, cost in state.costs())
    # Steps are numbered row op by row op. Those of stock operators come last.
    costs = [cost for op in state.split.row_ops for cost in state.step_costs.of(op)]
    split_steps = len(costs)
    return fsum([costs[s] for s in state.schedule.steps if s < split_steps])


def _renumbered(patches: Sequence[Patches], now: Mapping[int, Sequence[int]]) -> tuple[Patches, ...]:
    """`patches` after operators got other numbers. Those of which an operator is gone or tiled are left out."""
    return tuple(
        Patches(tuple(now[n][0] for n in block.inner), now[block.last][0], block.rows)
        for block in patches
        if all(len(now.get(n, ())) == 1 for n in (*block.inner, block.last))
    )


def check_order(steps: Sequence[int], step_graph: StepGraph) -> None:
    """Raises Refusal unless these are all needed steps, in an order in which they can run."""
    done: set[int] = set()
    for s in steps:
        if not 0 <= s < len(step_graph.steps) or s in done or not done.issuperset(step_graph.steps[s].depends):
            raise Refusal("order", "its steps cannot run in this order")
        done.add(s)
    if not done >= step_graph.needed:
        raise Refusal("order", "its order lacks steps")


def check_decision(decision: Decision, graph: Graph, stock: frozenset[int]) -> None:
    """Raises Refusal unless `decision` speaks of the operators and tensors of `graph`, its rewritten graph."""
    nodes, cuts = decision.nodes, decision.cuts
    if sorted(nodes) != list(range(len(graph.operators))):
        raise Refusal("order", "it orders other operators")
    if list(cuts) != sorted(set(cuts)) or cuts[:1] != (0,) * bool(nodes) or any(cut >= len(nodes) for cut in cuts):
        raise Refusal("order", "its groups of operators are none")
    if any(len(group) > 1 and stock.intersection(group) for group in groups(nodes, cuts)):
        raise Refusal("order", "it streams through an operator that cannot be split")
    if graph.states and (decision.rewrites or decision.computes_again or decision.channel_groups):
        raise Refusal("order", "it changes the graph of a network that remembers")
    in_patches = [n for block in decision.patches for n in (*block.inner, block.last)]
    good = all(block.rows and block.inner for block in decision.patches) and len(decision.patches) <= MAX_PATCHES
    if len(set(in_patches)) < len(in_patches) or not good:
        raise Refusal("order", "its patches are none")
    if not set(in_patches).issubset(nodes):
        raise Refusal("order", "it speaks of tensors or operators that do not exist")
    if any(t >= len(graph.tensors) for t, _ in decision.channel_groups) or not decision.recomputed.issubset(nodes):
        raise Refusal("order", "it speaks of tensors or operators that do not exist")


def stay_inside(split: Split, made: range) -> bool:
    """Whether the tensors `made` by a rewrite stay inside regions. TFLM, which sees the rest, has no tensors for them."""
    consumers = split.graph.consumers()
    crossing = may_cross(split.graph, split.stock)
    return not any(t in crossing or split.stock.intersection(consumers.get(t, ())) for t in made)
