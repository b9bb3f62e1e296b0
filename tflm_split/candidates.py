"""Which plan is best? Every configuration worth trying is compiled; the smallest planned head wins."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from tflm_split.compile import Plan, compile_schedule
from tflm_split.errors import Refusal
from tflm_split.ir.graph import Graph, Operator
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


def plans(graph: Graph, effort: int, progress: Progress) -> Iterator[Plan]:
    """A plan per configuration: concatenations copied or written in place, times the operator orders."""
    has_concatenation = any(op.kind == "CONCATENATION" for op in graph.operators)
    for in_place in (False, True) if has_concatenation else (False,):
        split = rewritten_split(graph, SplitOptions(concatenate_in_place=in_place))
        if not split.row_ops:
            return
        step_graph = build_step_graph(split)
        orders = candidate_orders(split, step_graph)
        schedules = []
        for k, order in enumerate(orders):
            progress("schedule", k, len(orders))
            schedules.append(best_cuts(step_graph, order, split.stock))
        progress("schedule", len(orders), len(orders))
        least = min(s.live_peak_bytes for s in schedules)
        for schedule in schedules:
            if schedule.live_peak_bytes > least * 1.05:
                continue
            progress("plan", 0, 1)
            try:
                yield compile_schedule(split, step_graph, schedule, effort)
            except Refusal:  # a concatenation's slice is needed outside its region
                continue
            progress("plan", 1, 1)


def best_plan(graph: Graph, effort: int, progress: Progress) -> Plan | None:
    """The plan of least head, the first of equals; None when nothing of the model can be split."""
    best: Plan | None = None
    for plan in plans(graph, effort, progress):
        if best is None or plan.planned_head_bytes < best.planned_head_bytes:
            best = plan
    return best
