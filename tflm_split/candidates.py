"""Which plan is best? Every configuration worth trying is compiled; the smallest planned head wins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from tflm_split.compile import Plan, compile_schedule
from tflm_split.errors import Refusal
from tflm_split.ir.graph import Graph, Operator
from tflm_split.refine import Refined, refine
from tflm_split.rewrite.drop_dead import drop_dead
from tflm_split.rewrite.fold_pad import fold_pad
from tflm_split.schedule.cuts import best_cuts
from tflm_split.schedule.orders import candidate_orders
from tflm_split.schedule.step_graph import build_step_graph
from tflm_split.split.operators import RESHAPES, SPLITTERS, split_operator
from tflm_split.split.regions import Split, SplitOptions, split_graph

Progress = Callable[[str, int, int], None]


def rewritten_split(graph: Graph, options: SplitOptions) -> Split:
    """`graph` with PADs folded and everything split that can be; a fold whose convolution stays stock is undone."""
    graph = drop_dead(graph, SPLITTERS.keys() | RESHAPES)
    unfolded: set[tuple[int, ...]] = set()
    while True:
        folded = fold_pad(graph, partial(_can_be_folded, frozenset(unfolded)))
        split = split_graph(folded, options)
        stuck = {split.graph.operators[k].source[-1:] for k in split.stock if len(split.graph.operators[k].source) > 1}
        if not stuck:
            return split
        unfolded |= stuck


def _can_be_folded(unfolded: frozenset[tuple[int, ...]], graph: Graph, op: Operator) -> bool:
    """Whether a convolution that has taken in a PAD can be split; those in `unfolded` turned out not to."""
    if op.source[-1:] in unfolded:
        return False
    try:
        split_operator(graph, op)
    except Refusal:
        return False
    return True


WORTH_TRYING = 0.98
"""A schedule is placed only if its live peak is below this share of the smallest head so far."""


REFINE_STEPS_PER_EFFORT = 30
"""Steps of schedules that the search for channel groups may try per unit of effort: small models get many tries."""


def _candidates(graph: Graph, progress: Progress) -> list[Refined]:
    """A schedule per configuration: concatenations copied or written in place, times the operator orders."""
    found: list[Refined] = []
    has_concatenation = any(op.kind == "CONCATENATION" for op in graph.operators)
    for in_place in (False, True) if has_concatenation else (False,):
        options = SplitOptions(concatenate_in_place=in_place)
        split = rewritten_split(graph, options)
        if not split.row_ops:
            break
        step_graph = build_step_graph(split)
        orders = candidate_orders(split, step_graph)
        for k, order in enumerate(orders):
            progress("schedule", k, len(orders))
            schedule = best_cuts(step_graph, order, split.stock)
            if all(c.schedule != schedule for c in found):
                found.append(Refined(options, split, step_graph, schedule))
        progress("schedule", len(orders), len(orders))
    return found


def _refined(graph: Graph, candidates: Sequence[Refined], effort: int, progress: Progress) -> list[Refined]:
    """`candidates`, and the one of least live peak with channels grouped where that lowers it."""
    start = min(candidates, key=lambda c: c.live_peak_bytes)
    tries = effort * REFINE_STEPS_PER_EFFORT // max(len(start.step_graph.steps), 1)
    progress("refine", 0, 1)
    better = refine(start, partial(rewritten_split, graph), tries)
    progress("refine", 1, 1)
    return [*candidates, better] if better is not start else list(candidates)


def best_plan(graph: Graph, effort: int, progress: Progress) -> Plan | None:
    """The plan of least head, the first of equals; None when nothing of the model can be split.

    Candidates are placed in the order of their live peaks. One whose live peak is about the smallest head so far cannot
    do better and is not placed at all.
    """
    best: Plan | None = None
    found = _candidates(graph, progress)
    if not found:
        return None
    candidates = sorted(_refined(graph, found, effort, progress), key=lambda c: c.live_peak_bytes)
    for k, candidate in enumerate(candidates):
        progress("plan", k, len(candidates))
        if best and candidate.live_peak_bytes >= WORTH_TRYING * best.planned_head_bytes:
            break
        try:
            plan = compile_schedule(candidate.split, candidate.step_graph, candidate.schedule, effort)
        except Refusal:  # a concatenation's slice is needed outside its region
            continue
        if best is None or plan.planned_head_bytes < best.planned_head_bytes:
            best = plan
    progress("plan", len(candidates), len(candidates))
    return best
