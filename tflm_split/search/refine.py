"""Which changes of a decision lower its live peak? A beam search that starts at the bottleneck.

The bottleneck is the step with most bytes alive. The proposers (`propose/`) say which changes are worth trying there:

* cut tensors into groups of channels;
* copy the operators that make a tensor, for its late readers;
* recompute rows instead of keeping them;
* compute a tensor in tiles of columns;
* run a block of operators patch by patch.

The best few changes form the next beam, and the search goes on from their bottlenecks. It ends when nothing helps or the
effort is spent. This is MoteNN's loop, on more kinds of change. A limit bounds how much slower a result may be than
streaming rows alone, in instructions predicted for a board.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from tflm_split.errors import Refusal
from tflm_split.ir.graph import Graph
from tflm_split.plan.progress import Tick, no_tick
from tflm_split.search.decision import Decision
from tflm_split.search.evaluate import Evaluation, Evaluator
from tflm_split.search.limits import Limits, most_instructions
from tflm_split.search.propose.table import PROPOSERS

ABOUT_EQUAL = 1.005
"""Peaks within this factor of the smallest one count as equal; of those, the fastest program wins."""
EXTRA_RECUTS = 2
"""In each round the best states get new cuts: as many as the beam is wide, and this many more.

New cuts are expensive. So all states are first compared under the cuts of the state they came from.
"""
NOISE = 1.01
"""Slowdowns below this factor are treated as noise of the prediction."""


class Search:
    """A beam search from one state, which groups no channels. `front` holds every state that was kept, the start first."""

    def __init__(
        self, evaluator: Evaluator, start: Evaluation, limits: Limits, fastest: Evaluation | None = None
    ) -> None:
        """`fastest` is the state whose instructions the limit on slowdown counts from; `start`, if none is given."""
        self._evaluator = evaluator
        self._evaluations_left = limits.evaluations
        self.start = start
        least = (fastest or start).instructions
        most = most_instructions(limits.max_slowdown, least, evaluator.stock_instructions)
        self._limits = replace(limits, max_instructions=max(most, NOISE * least))
        self.front: list[Evaluation] = [start]
        self._tick: Tick = no_tick

    def run(self, tick: Tick = no_tick) -> list[Evaluation]:
        """Search until nothing helps or the evaluations are used up, and return `front`.

        `tick` is called before each change that is evaluated, and several times during the evaluation.
        """
        self._tick = tick
        if self.start.graph.states:  # what is computed twice would have to read a state before it is written over
            return self.front
        limit = self._limits.max_instructions
        beam = [self.start]
        tried: set[object] = set()
        while self._evaluations_left > 0:
            neighbours: list[Evaluation] = []
            for state in beam:
                neighbours += self._neighbours(state, tried)
            recut = [self._with_best_cuts(other) for other in self._promising(neighbours)]
            best_so_far = min(state.rank for state in self.front)
            better = [other for other in recut if other.instructions <= limit and other.rank < best_so_far]
            if not better:
                break
            beam = self._promising(better)[: self._limits.beam]
            self.front.extend(beam)
        return self.front

    def _neighbours(self, state: Evaluation, tried: set[object]) -> list[Evaluation]:
        """The changes of `state` that were not `tried` yet, evaluated; those over the limit are left out."""
        neighbours: list[Evaluation] = []
        for change in (change for propose in PROPOSERS for change in propose(state, self._limits)):
            self._tick()
            before = state.decision
            key = (
                change.channel_groups,
                change.recomputed,
                change.patches,
                before.rewrites,
                change.rewrites,
                before.cuts,
            )
            if key in tried:
                continue
            if self._evaluations_left <= 0:
                break
            tried.add(key)
            self._evaluations_left -= 1
            other = self._evaluated(state, change)
            if other is not None and self._limits.patches:  # rows made again are steps more
                self._evaluations_left -= max(len(other.schedule.steps) // len(self.start.schedule.steps) - 1, 0)
            if other is not None and other.instructions <= self._limits.max_instructions:
                neighbours.append(other)
        return neighbours

    def _promising(self, states: Sequence[Evaluation]) -> list[Evaluation]:
        """The best few of `states`: first the fastest of those with about the least peak, then the others by rank."""
        if not states:
            return []
        least = min(state.live_peak_bytes for state in states)
        close = [state for state in states if state.live_peak_bytes <= least * ABOUT_EQUAL]
        fastest = min(close, key=lambda state: (state.instructions, state.rank))
        others = sorted((state for state in states if state is not fastest), key=lambda state: state.rank)
        return [fastest, *others[: EXTRA_RECUTS + self._limits.beam - 1]]

    def _with_best_cuts(self, state: Evaluation) -> Evaluation:
        """`state` with the best cuts of its own. Until then it has those of the state it came from."""
        orders = [state.decision.nodes]
        if state.decision.rewrites:  # a rewritten graph has other readers, so other orders may be better
            orders += self._evaluator.orders(state.decision)
        options = [state]
        for option in self._evaluator.with_best_cuts(state, tuple(dict.fromkeys(orders))):
            self._tick()
            options.append(option)
        return min(options, key=lambda option: option.rank)

    def _evaluated(self, base: Evaluation, change: Decision) -> Evaluation | None:
        """`change`, evaluated under the cuts of `base`. None when it does not fit the operators.

        Two sets of cuts are tried: those of `base`, and those without the ones that would make a recomputed or rewritten
        tensor whole. The better schedule is kept.
        """
        options = []
        try:
            for decision in dict.fromkeys((change, self._with_fewer_cuts(base, change))):
                self._tick()
                options.append(self._evaluator.evaluate(decision))
        except Refusal:
            return None
        other = min(options, key=lambda option: option.rank)
        # Where rows may not stream, cuts cost nothing, so `base` has one everywhere. They would keep channel groups from
        # streaming, too. So new cuts are needed at once.
        return other if "rows" in self._limits.axes else self._with_best_cuts(other)

    def _with_fewer_cuts(self, base: Evaluation, change: Decision) -> Decision:
        """`change` without the cuts that would make a tensor whole that it makes anew: they would undo it."""
        new_rewrites = change.rewrites[len(base.decision.rewrites) :]
        makers = [rewrite.operators[-1] for rewrite in new_rewrites]
        if not new_rewrites:
            makers += sorted(change.recomputed - base.decision.recomputed)
            makers += (n for block in change.patches[len(base.decision.patches) :] for n in block.inner)
        graph = self._evaluator.cut_graph(change.way, change.rewrites).graph
        made = {base.graph.operators[n].outputs[0] for n in makers}
        return replace(change, cuts=_uncut(change, graph, self._evaluator.stock(change), made))


def _uncut(decision: Decision, graph: Graph, stock: frozenset[int], tensors: AbstractSet[int]) -> tuple[int, ...]:
    """The cuts of `decision` without those that would make one of `tensors` whole.

    A tensor that lives across a stock operator keeps its cuts: it must be whole there anyway.
    """
    position = {n: k for k, n in enumerate(decision.nodes)}
    producers, consumers = graph.producers(), graph.consumers()
    cuts = decision.cuts
    for t in sorted(tensors):
        first = position[producers[t]]
        last = max((position[n] for n in consumers.get(t, ())), default=first)
        if not stock.intersection(decision.nodes[first : last + 1]):
            cuts = tuple(cut for cut in cuts if not first < cut <= last)
    return cuts
