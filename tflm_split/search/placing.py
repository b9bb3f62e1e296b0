"""The layouts of candidates: each gets addresses once at most, and only where its head could be the smallest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from tflm_split.analysis.latency import predict
from tflm_split.errors import Refusal
from tflm_split.lower.compile import Plan, compile_schedule
from tflm_split.lower.place import Allowance
from tflm_split.options import Options
from tflm_split.plan.progress import Teller, Tick
from tflm_split.search.decision import Addresses, Decision
from tflm_split.search.evaluate import Evaluation, Evaluator
from tflm_split.search.limits import most_instructions
from tflm_split.search.refine import NOISE
from tflm_split.search.schedules import PLACE_BELOW, Candidate, Starts, schedules

MAX_LIVE_BYTES = 32 * 1024 * 1024
"""Candidates of a higher live peak get no plan. Checking one would take gigabytes, and no device could run it."""
STREAMED_PLACING = 2
"""Layouts of streamed networks get so many times the effort: rows that come and go leave gaps that only moves close."""


@dataclass(frozen=True, slots=True)
class Found:
    """A plan, and the decision that makes it again."""

    plan: Plan
    decision: Decision


class Placing:
    """The candidates of one configuration, each of which is placed once at most."""

    def __init__(
        self, evaluator: Evaluator, starts: Starts, options: Options, best_bytes: int | None, teller: Teller
    ) -> None:
        """`best_bytes` is the smallest head so far."""
        self._options, self._teller = options, teller
        self.candidates = schedules(evaluator, starts, options, best_bytes, teller)
        fastest = min((c.state.instructions for c in self.candidates), default=0.0)
        self._limit = most_instructions(options.max_slowdown, fastest, evaluator.stock_instructions)
        self._placed: dict[int, Found | None] = {}

    def best(self, below_bytes: int | None) -> Found | None:
        """The plan of the smallest head, the first one of equals; None if there is none below `below_bytes`.

        Candidates are placed in the order of their priority. The live peak is a lower bound on the head. So the loop ends
        at the first candidate whose live peak is about as large as the smallest head so far.
        """
        best: Found | None = None
        for k, candidate in self._in_order(lambda c: (c.priority,)):
            limit = best.plan.planned_head_bytes if best else below_bytes
            share = PLACE_BELOW if best else 1
            if limit is not None and candidate.live_peak_bytes >= share * limit:
                break
            found = self._place(k)
            if found and (limit is None or found.plan.planned_head_bytes < limit):
                best = found
        return best

    def front(self, price: Callable[[Evaluation], float]) -> list[Found]:
        """Plans of ever smaller heads, that of the candidate of the lowest price first."""
        kept: list[Found] = []
        for k, candidate in self._in_order(lambda c: (price(c.state), c.live_peak_bytes)):
            if kept and candidate.live_peak_bytes >= kept[-1].plan.planned_head_bytes:
                continue
            found = self._place(k)
            if found and (not kept or found.plan.planned_head_bytes < kept[-1].plan.planned_head_bytes):
                kept.append(found)
        return kept

    def _in_order(self, key: Callable[[Candidate], tuple[float, ...]]) -> Iterator[tuple[int, Candidate]]:
        """(Number of a candidate, the candidate), by `key`."""
        order = sorted(enumerate(self.candidates), key=lambda numbered: key(numbered[1]))
        for k, numbered in enumerate(order):
            self._teller.at("place", k, len(order))
            yield numbered
        self._teller.at("place", len(order), len(order))

    def _place(self, k: int) -> Found | None:
        if k not in self._placed:
            found = _placed(self.candidates[k], self._options, self._limit, self._teller.tick)
            self._placed[k] = found
            if found:
                self._teller.found(found.plan.planned_head_bytes)
        return self._placed[k]


def _placed(candidate: Candidate, options: Options, most: float, tick: Tick) -> Found | None:
    """The candidate with addresses. None when it is too large, or a slice of a concatenation is needed outside its region.

    The layout itself may cost instructions, as long as the plan stays within `most` of them; a slowdown within the noise is
    always allowed. The schedule before polishing is placed, too, where its live peak says that its head could be smaller.
    """
    if candidate.live_peak_bytes > MAX_LIVE_BYTES:
        return None
    limit = max(most, NOISE * candidate.state.instructions)
    try:
        found = within(limit, candidate.state, options, tick)
        before = candidate.unpolished
        if (
            before is None
            or before.schedule == candidate.state.schedule
            or before.live_peak_bytes >= found.plan.planned_head_bytes
        ):
            return found
        other = within(limit, before, options, tick)
    except Refusal:
        return None
    return min(found, other, key=lambda f: f.plan.planned_head_bytes)


def within(limit: float, state: Evaluation, options: Options, tick: Tick) -> Found:
    """The plan of a state, of at most `limit` predicted instructions if that can be had.

    Overlapping rows can slow a kernel down. If the first layout is over the limit, a second one uses only the overlaps
    that cost nothing; the faster of the two is returned.
    """
    allowance = Allowance(options.board, limit - state.instructions)
    effort = options.effort * (STREAMED_PLACING if any(op.fetches for op in state.split.row_ops) else 1)
    plan = compile_schedule(state.split, state.step_graph, state.schedule, effort, allowance, tick)
    taken = predicted_instructions(plan, options.board)
    if taken <= limit:
        return _found(state, plan, allowance)
    only_free = replace(allowance, only_free=True)
    free = compile_schedule(state.split, state.step_graph, state.schedule, effort, only_free, tick)
    if predicted_instructions(free, options.board) <= taken:
        return _found(state, free, only_free)
    return _found(state, plan, allowance)


def _found(state: Evaluation, plan: Plan, allowance: Allowance) -> Found:
    layout = plan.layout
    addresses = Addresses(
        layout.addresses, layout.moves, allowance.board, allowance.only_free, layout.technique, layout.solver
    )
    return Found(plan, replace(state.decision, layout=addresses))


def predicted_instructions(plan: Plan, board: str) -> int:
    """Predicted instructions of all programs of a plan."""
    return sum(predict(region.program, board).instructions for region in plan.regions)
