"""Which plan is best? Compiles every configuration that is worth trying and keeps the smallest planned head.

    splits x operator orders  ->  schedules  ->  refined  ->  polished  ->  placed
    split/   orders.py            cuts.py        refine.py    polish.py     lower/

The last three are expensive. So the effort goes to the schedules of the least live peak first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from tflm_split.analysis.latency import predict
from tflm_split.errors import Refusal
from tflm_split.ir.graph import Graph, Operator
from tflm_split.lower.compile import Plan, compile_schedule
from tflm_split.lower.place import Allowance
from tflm_split.options import DEFAULT_SLOWDOWN, Options
from tflm_split.plan.progress import Teller, Tick
from tflm_split.rewrite.constant_values import FOLDABLE
from tflm_split.rewrite.drop_dead import drop_dead
from tflm_split.rewrite.fold_constants import fold_constants
from tflm_split.rewrite.fold_pad import fold_pad
from tflm_split.rewrite.fuse_byte_functions import fuse_byte_functions
from tflm_split.schedule.cuts import Schedule, best_cuts
from tflm_split.schedule.heights import steps_along
from tflm_split.schedule.orders import candidate_orders
from tflm_split.schedule.polish import Polish
from tflm_split.search.refine import NOISE, Candidate, Limits, Search
from tflm_split.split.attention import attention_scores
from tflm_split.split.operators import RESHAPES, SPLITTERS, split_operator
from tflm_split.split.regions import Split, SplitOptions, split_graph


def rewritten_split(graph: Graph, options: SplitOptions) -> Split:
    """`graph` with its operators fused, and split wherever they can be.

    What does not depend on the model's inputs is computed. A PAD is folded into the convolution behind it. A chain of
    functions of one byte becomes one function. A fused operator that cannot be split is taken apart again.
    """
    graph = drop_dead(fold_constants(graph), SPLITTERS.keys() | RESHAPES | FOLDABLE)
    refused: set[tuple[int, ...]] = set()
    while True:
        accept = partial(_can_be_split, frozenset(refused))
        split = split_graph(fuse_byte_functions(fold_pad(graph, accept), accept), options)
        stuck = {split.graph.operators[k].source[-1:] for k in split.stock if len(split.graph.operators[k].source) > 1}
        if not stuck:
            return split
        refused |= stuck


def _can_be_split(refused: frozenset[tuple[int, ...]], graph: Graph, op: Operator) -> bool:
    """Whether a fused operator can be split. Those in `refused` could not be in an earlier attempt."""
    if op.source[-1:] in refused:
        return False
    try:
        split_operator(graph, op)
    except Refusal:
        return False
    return True


MAX_LIVE_BYTES = 32 * 1024 * 1024
"""Candidates of a higher live peak get no plan. Checking one would take gigabytes, and no device could run it."""
PLACE_BELOW = 0.98
"""A candidate gets a layout only if its live peak is below this share of the smallest head so far."""


def _priority(candidate: Candidate) -> float:
    """The live peak, by which candidates are ordered, least first.

    Candidates that stream attention scores get a small bonus: scores grow with the square of the number of tokens.
    """
    return candidate.live_peak_bytes * (PLACE_BELOW if candidate.streams_attention else 1)


REFINE_STEPS_PER_EFFORT = 30
"""Steps that the search may schedule per unit of effort. A model of few steps therefore gets many evaluations."""
POLISH_STEPS_PER_EFFORT = 1200
"""Steps that polishing may look at per unit of effort, for all candidates together."""
POLISH_SHARES = 24
"""The polishing effort is divided into this many rounds. Each candidate gets one round, the best ones get the rest."""
POLISH_PATIENCE = 3
"""Stop polishing after more than this many rounds in a row without progress."""
EFFORT_PER_BEAM = 3000
"""The beam of the search gets one state wider for each of these units of effort."""
SLOWDOWNS = (DEFAULT_SLOWDOWN, 1.2, 1.5)
"""Where the user allows more slowdown than one of these, the search also runs with that tighter limit."""


@dataclass(frozen=True, slots=True)
class SplitGraph:
    """A rewritten graph with its operators split under `options`."""

    options: SplitOptions
    split: Split


def splits_to_try(graph: Graph) -> tuple[SplitGraph, ...]:
    """The graph split once with concatenations copied and, if it has any, once with concatenations written in place."""
    has_concatenation = any(op.kind == "CONCATENATION" for op in graph.operators)
    ways = [
        SplitOptions(concatenate_in_place=in_place) for in_place in ((False, True) if has_concatenation else (False,))
    ]
    return tuple(SplitGraph(way, rewritten_split(graph, way)) for way in ways)


def _schedules(splits: Sequence[SplitGraph], options: Options, teller: Teller) -> list[Candidate]:
    """All schedules worth placing, refined and polished. Empty when nothing of the model can be split."""
    candidates = _candidates(splits, options.axes, teller)
    return _polished(_refined(candidates, options, teller), options.effort, teller) if candidates else []


def _candidates(splits: Sequence[SplitGraph], axes: frozenset[str], teller: Teller) -> list[Candidate]:
    """One schedule for each split, operator order and choice about attention scores, without duplicates."""
    candidates: list[Candidate] = []
    for way in splits:
        split = way.split
        if not split.row_ops:
            break
        step_graph = steps_along(split, axes)
        orders = candidate_orders(split, step_graph)
        for k, order in enumerate(orders):
            teller.at("schedule", k, len(orders))
            scores = attention_scores(split)
            for streamed in (scores, frozenset()) if scores else (scores,):
                teller.tick()
                schedule = best_cuts(step_graph, order, split.stock, streamed)
                if all(c.schedule != schedule for c in candidates):
                    candidates.append(
                        Candidate(way.options, split, step_graph, schedule, streams_attention=bool(streamed))
                    )
        teller.at("schedule", len(orders), len(orders))
    return candidates


def _refined(candidates: Sequence[Candidate], options: Options, teller: Teller) -> list[Candidate]:
    """`candidates`, and every state that the searches from the best of them kept on their way.

    One search runs for each of `SLOWDOWNS` below the user's limit, and one for that limit. A search with a looser limit
    takes other turns, and they do not always end at a lower peak.
    """
    start = min(candidates, key=_priority)
    slowdowns = [*(s for s in SLOWDOWNS if s < options.max_slowdown), options.max_slowdown]
    kept: list[Candidate] = []
    for k, slowdown in enumerate(slowdowns):
        teller.at("search", k, len(slowdowns))
        limits = Limits(
            options.effort * REFINE_STEPS_PER_EFFORT // max(len(start.step_graph.steps), 1),
            options.board,
            slowdown,
            1 + options.effort // EFFORT_PER_BEAM,
            allow_extra_macs=slowdown > DEFAULT_SLOWDOWN and "rows" in options.axes,
            axes=options.axes,
        )
        search = Search(start, limits)
        kept += (state for state in search.run(teller.tick) if all(state.schedule != other.schedule for other in kept))
    teller.at("search", len(slowdowns), len(slowdowns))
    return [*(replace(c, instructions=search.instructions(c)) for c in candidates if c is not start), *kept]


def _polished(candidates: Sequence[Candidate], effort: int, teller: Teller) -> list[Candidate]:
    """`candidates` with their steps in better orders.

    Every candidate is polished for one round. After that, each round goes to the best candidate that can still improve,
    until the rounds are used up or several in a row make no progress. Candidates that recompute rows are left alone:
    several of their pieces stand for one row at different times, so steps must not change places.
    """
    polished = list(candidates)
    unfinished = {
        k: Polish(c.step_graph, c.schedule, c.split.stock)
        for k, c in enumerate(candidates)
        if effort and not c.recomputed
    }
    shares = max(POLISH_SHARES, 2 * len(unfinished))
    waiting = sorted(unfinished, key=lambda k: _priority(polished[k]))
    without_progress = 0
    for share in range(shares):
        if not unfinished or without_progress > POLISH_PATIENCE:
            break
        teller.at("polish", share, shares)
        k = waiting.pop(0) if waiting else min(unfinished, key=lambda k: _priority(polished[k]))
        unfinished[k].run(effort * POLISH_STEPS_PER_EFFORT // shares, teller.tick)
        schedule = unfinished[k].schedule
        without_progress = 0 if schedule.live_peak_bytes < polished[k].live_peak_bytes else without_progress + 1
        polished[k] = replace(polished[k], schedule=schedule, unpolished=candidates[k].schedule)
        if unfinished[k].exhausted:
            del unfinished[k]
    teller.at("polish", shares, shares)
    return polished


def best_plan(splits: Sequence[SplitGraph], options: Options, teller: Teller) -> Plan | None:
    """The plan of the smallest head, the first one of equals. None when nothing of the model can be split.

    Candidates are placed in the order of `_priority`. The live peak is a lower bound on the head. So the loop ends at the
    first candidate whose live peak is about as large as the smallest head so far.
    """
    best: Plan | None = None
    candidates = sorted(_schedules(splits, options, teller), key=_priority)
    fastest = min((c.instructions for c in candidates), default=0.0)
    for k, candidate in enumerate(candidates):
        teller.at("place", k, len(candidates))
        if best and candidate.live_peak_bytes >= PLACE_BELOW * best.planned_head_bytes:
            break
        plan = _placed(candidate, options, fastest, teller.tick)
        if plan and (best is None or plan.planned_head_bytes < best.planned_head_bytes):
            best = plan
            teller.found(plan.planned_head_bytes)
    teller.at("place", len(candidates), len(candidates))
    return best


def pareto_plans(splits: Sequence[SplitGraph], options: Options, teller: Teller) -> tuple[Plan, ...]:
    """The Pareto front of planned head against predicted instructions, fastest plan first."""
    kept: list[Plan] = []
    candidates = sorted(_schedules(splits, options, teller), key=lambda c: (c.instructions, c.live_peak_bytes))
    fastest = min((c.instructions for c in candidates), default=0.0)
    for k, candidate in enumerate(candidates):
        teller.at("place", k, len(candidates))
        if kept and candidate.live_peak_bytes >= PLACE_BELOW * kept[-1].planned_head_bytes:
            continue
        plan = _placed(candidate, options, fastest, teller.tick)
        if plan and (not kept or plan.planned_head_bytes < kept[-1].planned_head_bytes):
            kept.append(plan)
            teller.found(plan.planned_head_bytes)
    teller.at("place", len(candidates), len(candidates))
    return tuple(kept)


def _placed(candidate: Candidate, options: Options, fastest: float, tick: Tick) -> Plan | None:
    """The candidate with addresses. None when it is too large, or a slice of a concatenation is needed outside its region.

    The layout itself may cost instructions, as long as the plan stays within the slowdown limit. That limit counts from
    the `fastest` candidate; a slowdown within the noise is always allowed. The schedule before polishing is placed, too,
    where its live peak says that its head could be smaller.
    """
    if candidate.live_peak_bytes > MAX_LIVE_BYTES:
        return None
    limit = max(options.max_slowdown * fastest, NOISE * candidate.instructions)
    try:
        plan = _within(limit, candidate, candidate.schedule, options, tick)
        before = candidate.unpolished
        if before in (None, candidate.schedule) or before.live_peak_bytes >= plan.planned_head_bytes:
            return plan
        other = _within(limit, candidate, before, options, tick)
    except Refusal:
        return None
    return min(plan, other, key=lambda p: p.planned_head_bytes)


def _within(limit: float, candidate: Candidate, schedule: Schedule, options: Options, tick: Tick) -> Plan:
    """The plan of a schedule, of at most `limit` predicted instructions if that can be had.

    Overlapping rows can slow a kernel down. If the first layout is over the limit, a second one uses only the overlaps
    that cost nothing; the faster of the two is returned.
    """
    allowance = Allowance(options.board, limit - candidate.instructions)
    plan = compile_schedule(candidate.split, candidate.step_graph, schedule, options.effort, allowance, tick)
    taken = _instructions(plan, options.board)
    if taken <= limit:
        return plan
    allowance = replace(allowance, only_free=True)
    free = compile_schedule(candidate.split, candidate.step_graph, schedule, options.effort, allowance, tick)
    return free if _instructions(free, options.board) <= taken else plan


def _instructions(plan: Plan, board: str) -> int:
    """Predicted instructions of all programs of a plan."""
    return sum(predict(region.program, board).instructions for region in plan.regions)
