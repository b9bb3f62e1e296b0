"""Which schedules are worth a layout? Those of all splits and operator orders, refined, then polished.

    splits x operator orders  ->  schedules  ->  refined  ->  polished
    evaluate.py   orders.py       cuts.py        refine.py    polish.py

Live peaks order them: each is a lower bound on the head that a layout can reach.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tflm_split.options import DEFAULT_SLOWDOWN, Options
from tflm_split.plan.progress import Teller
from tflm_split.schedule.polish import Polish
from tflm_split.search.decision import Decision
from tflm_split.search.evaluate import Evaluation, Evaluator
from tflm_split.search.limits import Limits
from tflm_split.search.refine import Search
from tflm_split.search.ways import is_streamed, ways_to_split

REFINE_STEPS_PER_EFFORT = 30
"""Steps that the search may schedule per unit of effort. A model of few steps therefore gets many evaluations."""
PATCHED_EVALUATIONS = 3
"""Where blocks may run patch by patch, the search is given so many times the evaluations: several peaks must fall at once."""
PATCHED_PLACED = 2
"""So many of the states that such a search kept get a layout: they have many steps, so that takes long."""
POLISH_STEPS_PER_EFFORT = 1200
"""Steps that polishing may look at per unit of effort, for all candidates together."""
POLISH_SHARES = 24
"""The polishing effort is divided into this many rounds. Each candidate gets one round, the best ones get the rest."""
POLISH_PATIENCE = 3
"""Stop polishing after more than this many rounds in a row without progress."""
HOPELESS = 3
"""States of more than so many times the least live peak are not polished: polishing is not known to have taken off half of one."""
EFFORT_PER_BEAM = 3000
"""The beam of the search gets one state wider for each of these units of effort."""
PLACE_BELOW = 0.98
"""A candidate gets a layout only if its live peak is below this share of the smallest head so far."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A state that is worth an address for each of its pieces.

    `unpolished` is the state before polishing, whose layout is sometimes the smaller one. None: it was not polished.
    """

    state: Evaluation
    unpolished: Evaluation | None = None

    @property
    def live_peak_bytes(self) -> int:
        return self.state.live_peak_bytes

    @property
    def priority(self) -> float:
        """The live peak, by which candidates are ordered, least first.

        Candidates that stream attention scores get a small bonus: scores grow with the square of the number of tokens.
        """
        return self.live_peak_bytes * (PLACE_BELOW if self.state.decision.streams_attention else 1)


class Starts:
    """The states that searches start from, by axes. Each is made once. `asked` are the axes that the user allows."""

    def __init__(self, evaluator: Evaluator, asked: frozenset[str], teller: Teller) -> None:
        self._evaluator, self._asked, self._teller = evaluator, asked, teller
        self._known: dict[bool, list[Evaluation]] = {}
        self._patched: dict[tuple[int, frozenset[str]], Evaluation] = {}

    def of(self, options: Options, best_bytes: int | None) -> list[Evaluation]:
        """Those for `options`. None where rows were left out of what the user allows, and all start above the smallest head.

        Where the user allows no rows, there is no other way: each limit is searched, however far its start is.
        """
        rows = "rows" in options.axes
        if rows not in self._known:
            self._known[rows] = _starts(self._evaluator, options.axes, self._teller)
        starts = self._known[rows]
        least = min((state.live_peak_bytes for state in starts), default=0)
        if best_bytes is None or rows or "rows" not in self._asked:
            return starts
        return [] if least > best_bytes or is_streamed(self._evaluator) else starts

    def patched(
        self, found: Sequence[Evaluation], start: Evaluation, limits: Limits, effort: int, teller: Teller
    ) -> list[Evaluation]:
        """States with blocks that run patch by patch, searched for from the best that a tighter limit or no patch gave.

        A search of its own: patches that come first rarely lead to the best groups of channels. `found` was found without.
        """
        key = effort, limits.axes
        begun = [min(found, key=lambda state: state.rank)]
        if key in self._patched and self._patched[key].rank < begun[0].rank:
            begun.append(self._patched[key])
        limits = replace(limits, patches=True, evaluations=limits.evaluations * PATCHED_EVALUATIONS)
        more: list[Evaluation] = []
        for best in begun:
            more += Search(self._evaluator, best, limits, start).run(teller.tick)[-PATCHED_PLACED:]
        self._patched[key] = min(more, key=lambda state: state.rank)
        return more


def schedules(
    evaluator: Evaluator, starts: Starts, options: Options, best_bytes: int | None, teller: Teller
) -> list[Candidate]:
    """All schedules worth placing, refined and polished. Empty when nothing of the model can be split."""
    states = starts.of(options, best_bytes)
    if not states:
        return []
    refined, patched = _refined(evaluator, starts, states, options, teller)
    polished = [_polished(found, options.effort, teller) for found in (refined, patched) if found]
    return [candidate for of_one in polished for candidate in of_one]


def _starts(evaluator: Evaluator, axes: frozenset[str], teller: Teller) -> list[Evaluation]:
    """One state for each split, operator order and choice about attention scores, without duplicates."""
    starts: list[Evaluation] = []
    for way in ways_to_split(evaluator):
        if not evaluator.base(way).row_ops:
            continue
        plain = Decision((), (), *way, rows="rows" in axes)
        orders = evaluator.orders(plain)
        has_scores = evaluator.streams_attention(plain)
        for k, order in enumerate(orders):
            teller.at("schedule", k, len(orders))
            for streamed in (True, False) if has_scores else (False,):
                teller.tick()
                state = evaluator.first(replace(plain, nodes=order, streams_attention=streamed))
                if all(other.schedule != state.schedule for other in starts):
                    starts.append(state)
        teller.at("schedule", len(orders), len(orders))
    return starts


def _refined(
    evaluator: Evaluator, starts: Starts, states: Sequence[Evaluation], options: Options, teller: Teller
) -> tuple[list[Evaluation], list[Evaluation]]:
    """`states`, and every state that the search from the best of them kept on its way; and those with patches."""
    start = min(states, key=lambda state: Candidate(state).priority)
    teller.at("search", 0, 1)
    limits = Limits(
        options.effort * REFINE_STEPS_PER_EFFORT // max(len(start.step_graph.steps), 1),
        options.max_slowdown,
        1 + options.effort // EFFORT_PER_BEAM,
        allow_extra_macs=options.max_slowdown > DEFAULT_SLOWDOWN and "rows" in options.axes,
        axes=options.axes,
    )
    found = Search(evaluator, start, limits).run(teller.tick)
    with_patches = limits.allow_extra_macs and "columns" in options.axes
    patched = starts.patched(found, start, limits, options.effort, teller) if with_patches else []
    kept: list[Evaluation] = []
    for state in found:
        if all(state.schedule != other.schedule for other in kept):
            kept.append(state)
    teller.at("search", 1, 1)
    others = [state for state in patched if all(state.schedule != other.schedule for other in kept)]
    return [*(state for state in states if state is not start), *kept], others


def _polished(states: Sequence[Evaluation], effort: int, teller: Teller) -> list[Candidate]:
    """`states` with their steps in better orders.

    Every state is polished for one round. After that, each round goes to the best one that can still improve, until the
    rounds are used up or several in a row make no progress. States that recompute rows are left alone: several of their
    pieces stand for one row at different times, so steps must not change places. Hopeless ones are left alone, too.
    """
    polished = [Candidate(state) for state in states]
    most = HOPELESS * min(state.live_peak_bytes for state in states)
    unfinished = {
        k: Polish(state.step_graph, state.schedule, state.split.stock)
        for k, state in enumerate(states)
        if effort and not state.decision.computes_again and state.live_peak_bytes <= most
    }
    shares = max(POLISH_SHARES, 2 * len(unfinished))
    waiting = sorted(unfinished, key=lambda k: polished[k].priority)
    without_progress = 0
    for share in range(shares):
        if not unfinished or without_progress > POLISH_PATIENCE:
            break
        teller.at("polish", share, shares)
        k = waiting.pop(0) if waiting else min(unfinished, key=lambda k: polished[k].priority)
        unfinished[k].run(effort * POLISH_STEPS_PER_EFFORT // shares, teller.tick)
        schedule = unfinished[k].schedule
        without_progress = 0 if schedule.live_peak_bytes < polished[k].live_peak_bytes else without_progress + 1
        polished[k] = Candidate(states[k].reordered(schedule), states[k])
        if unfinished[k].exhausted:
            del unfinished[k]
    teller.at("polish", shares, shares)
    return polished
