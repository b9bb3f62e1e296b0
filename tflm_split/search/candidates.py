"""Which plan is best? Every configuration worth trying is compiled; the smallest planned head wins."""

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
from tflm_split.rewrite.drop_dead import drop_dead
from tflm_split.rewrite.fold_pad import fold_pad
from tflm_split.rewrite.fuse_byte_functions import fuse_byte_functions
from tflm_split.schedule.cuts import Schedule, best_cuts
from tflm_split.schedule.heights import steps_along
from tflm_split.schedule.orders import candidate_orders
from tflm_split.schedule.polish import Polish
from tflm_split.search.refine import NOISE, Limits, Refined, Search
from tflm_split.split.attention import attention_scores
from tflm_split.split.operators import RESHAPES, SPLITTERS, split_operator
from tflm_split.split.regions import Split, SplitOptions, split_graph


def rewritten_split(graph: Graph, options: SplitOptions) -> Split:
    """`graph` rewritten and everything split that can be; what was rewritten and stays stock is left as it was.

    PADs are folded into convolutions, chains of functions of one byte into one.
    """
    graph = drop_dead(graph, SPLITTERS.keys() | RESHAPES)
    left: set[tuple[int, ...]] = set()
    while True:
        accept = partial(_can_be_split, frozenset(left))
        split = split_graph(fuse_byte_functions(fold_pad(graph, accept), accept), options)
        stuck = {split.graph.operators[k].source[-1:] for k in split.stock if len(split.graph.operators[k].source) > 1}
        if not stuck:
            return split
        left |= stuck


def _can_be_split(left: frozenset[tuple[int, ...]], graph: Graph, op: Operator) -> bool:
    """Whether an operator made of several can be split; those in `left` turned out not to."""
    if op.source[-1:] in left:
        return False
    try:
        split_operator(graph, op)
    except Refusal:
        return False
    return True


MAX_LIVE_BYTES = 32 * 1024 * 1024
"""Larger plans are not made: following each byte through the program would take gigabytes, and no device could use them."""
WORTH_TRYING = 0.98
"""A schedule is placed only if its live peak is below this share of the smallest head so far."""


def _standing(candidate: Refined) -> float:
    """By what candidates are ordered. Scores of queries and keys grow with the square of the tokens: where they need not
    be whole, that is worth what is not worth trying otherwise."""
    return candidate.live_peak_bytes * (WORTH_TRYING if candidate.streams_attention else 1)


REFINE_STEPS_PER_EFFORT = 30
"""Steps of schedules that the search may try per unit of effort: small models get many tries."""
POLISH_STEPS_PER_EFFORT = 1200
"""Steps that polishing schedules may look at per unit of effort, all candidates together."""
POLISH_SHARES = 24
"""Into how many parts that is divided: one for each candidate, the others for the best."""
POLISH_PATIENCE = 3
"""Parts in a row that may be in vain."""
EFFORT_PER_BEAM = 3000
"""Effort that makes the search go on from one more state at a time."""
SLOWDOWNS = (DEFAULT_SLOWDOWN, 1.2, 1.5)
"""Limits that are searched under, too, where the user allows more."""


@dataclass(frozen=True, slots=True)
class SplitGraph:
    """A rewritten graph with its operators split, and how."""

    options: SplitOptions
    split: Split


def splits_to_try(graph: Graph) -> tuple[SplitGraph, ...]:
    """The graph split in every way that is worth trying: concatenations copied, then written in place."""
    has_concatenation = any(op.kind == "CONCATENATION" for op in graph.operators)
    ways = [
        SplitOptions(concatenate_in_place=in_place) for in_place in ((False, True) if has_concatenation else (False,))
    ]
    return tuple(SplitGraph(way, rewritten_split(graph, way)) for way in ways)


def _schedules(splits: Sequence[SplitGraph], options: Options, teller: Teller) -> list[Refined]:
    """All schedules worth placing, refined and polished; none when nothing of the model can be split."""
    found = _candidates(splits, options.axes, teller)
    return _polished(_refined(found, options, teller), options.effort, teller) if found else []


def _candidates(splits: Sequence[SplitGraph], axes: frozenset[str], teller: Teller) -> list[Refined]:
    """A schedule per configuration: each split, times the operator orders."""
    found: list[Refined] = []
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
                if all(c.schedule != schedule for c in found):
                    found.append(Refined(way.options, split, step_graph, schedule, streams_attention=bool(streamed)))
        teller.at("schedule", len(orders), len(orders))
    return found


def _refined(candidates: Sequence[Refined], options: Options, teller: Teller) -> list[Refined]:
    """`candidates`, and all that searches from the one of least live peak kept on their way.

    There is one for each of `SLOWDOWNS` that is allowed, and one for the limit itself: who may be slow takes other ways,
    and those do not always end lower.
    """
    start = min(candidates, key=_standing)
    slowdowns = [*(s for s in SLOWDOWNS if s < options.max_slowdown), options.max_slowdown]
    found: list[Refined] = []
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
        found += (
            state for state in search.run(teller.tick) if all(state.schedule != other.schedule for other in found)
        )
    teller.at("search", len(slowdowns), len(slowdowns))
    return [*(replace(c, instructions=search.instructions(c)) for c in candidates if c is not start), *found]


def _polished(candidates: Sequence[Refined], effort: int, teller: Teller) -> list[Refined]:
    """`candidates` with their steps in better orders.

    Each gets a share of the effort, then always the best of those for which more can be found, until several shares in a
    row were in vain. Where rows are computed again, several pieces stand for one row at different times, and no step
    changes places.
    """
    found = list(candidates)
    unfinished = {
        k: Polish(c.step_graph, c.schedule, c.split.stock) for k, c in enumerate(candidates) if effort and not c.again
    }
    shares = max(POLISH_SHARES, 2 * len(unfinished))
    waiting = sorted(unfinished, key=lambda k: _standing(found[k]))
    in_vain = 0
    for share in range(shares):
        if not unfinished or in_vain > POLISH_PATIENCE:
            break
        teller.at("polish", share, shares)
        k = waiting.pop(0) if waiting else min(unfinished, key=lambda k: _standing(found[k]))
        unfinished[k].run(effort * POLISH_STEPS_PER_EFFORT // shares, teller.tick)
        schedule = unfinished[k].schedule
        in_vain = 0 if schedule.live_peak_bytes < found[k].live_peak_bytes else in_vain + 1
        found[k] = replace(found[k], schedule=schedule, unpolished=candidates[k].schedule)
        if unfinished[k].exhausted:
            del unfinished[k]
    teller.at("polish", shares, shares)
    return found


def best_plan(splits: Sequence[SplitGraph], options: Options, teller: Teller) -> Plan | None:
    """The plan of least head, the first of equals; None when nothing of the model can be split.

    Candidates are placed in the order of their live peaks, those that stream attention a little before. One whose live
    peak is about the smallest head so far cannot do better and is not placed at all.
    """
    best: Plan | None = None
    candidates = sorted(_schedules(splits, options, teller), key=_standing)
    fastest = min((c.instructions for c in candidates), default=0.0)
    for k, candidate in enumerate(candidates):
        teller.at("place", k, len(candidates))
        if best and candidate.live_peak_bytes >= WORTH_TRYING * best.planned_head_bytes:
            break
        plan = _placed(candidate, options, fastest, teller.tick)
        if plan and (best is None or plan.planned_head_bytes < best.planned_head_bytes):
            best = plan
            teller.found(plan.planned_head_bytes)
    teller.at("place", len(candidates), len(candidates))
    return best


def pareto_plans(splits: Sequence[SplitGraph], options: Options, teller: Teller) -> tuple[Plan, ...]:
    """Plans none of which another beats in both head and predicted instructions; fastest first."""
    kept: list[Plan] = []
    candidates = sorted(_schedules(splits, options, teller), key=lambda c: (c.instructions, c.live_peak_bytes))
    fastest = min((c.instructions for c in candidates), default=0.0)
    for k, candidate in enumerate(candidates):
        teller.at("place", k, len(candidates))
        if kept and candidate.live_peak_bytes >= WORTH_TRYING * kept[-1].planned_head_bytes:
            continue
        plan = _placed(candidate, options, fastest, teller.tick)
        if plan and (not kept or plan.planned_head_bytes < kept[-1].planned_head_bytes):
            kept.append(plan)
            teller.found(plan.planned_head_bytes)
    teller.at("place", len(candidates), len(candidates))
    return tuple(kept)


def _placed(candidate: Refined, options: Options, fastest: float, tick: Tick) -> Plan | None:
    """The candidate with addresses; None when a concatenation's slice is needed outside its region, or it is too large.

    Its layout may take what the limit on slowdown leaves, measured against the instructions of the `fastest` candidate;
    what is within the noise is always free. The schedule it had before it was polished is placed, too, where that can
    still give the smaller head.
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


def _within(limit: float, candidate: Refined, schedule: Schedule, options: Options, tick: Tick) -> Plan:
    """Addresses for a schedule. Where the layout takes more instructions than `limit`, rows lie on what their step reads
    only if that is free.
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
    """Predicted for all programs of a plan."""
    return sum(predict(region.program, board).instructions for region in plan.regions)
