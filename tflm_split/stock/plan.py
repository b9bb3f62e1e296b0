"""A file that needs less arena in TFLM as it is: its operators in the best order, and an address for every tensor.

No operator is added or changed, so that every TFLM since 2023 runs the file. Scratch gets a hole of its own in the
layout: TFLM places it there by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tflm_split.analysis.kernel_sets import KernelSet
from tflm_split.analysis.liveness import activation_bytes
from tflm_split.analysis.tflm_planner import planned_head, rounded, scratch_room_bytes
from tflm_split.errors import InputError
from tflm_split.ir.graph import ABSENT, Graph, Model
from tflm_split.plan.portfolio import plan
from tflm_split.plan.problem import Body, Layout, Leeway, Span
from tflm_split.plan.progress import Tick, no_tick
from tflm_split.rewrite.drop_dead import drop_dead
from tflm_split.schedule.orders import may_reorder
from tflm_split.stock.order import ORDER_STATES, orders
from tflm_split.stock.proof import check_plan
from tflm_split.stock.sharing import ALIGNMENT_BYTES, distance_bytes
from tflm_split.tflite.edit import Edit, KeptOperator
from tflm_split.tflite.reader import all_offsets
from tflm_split.tflite.writer import write_model


@dataclass(frozen=True, slots=True)
class StockPlan:
    """The file with its plan; the operators' positions in the original, in the order in which they run; the layout."""

    model: Model
    order: tuple[int, ...]
    layout: Layout
    head_bytes: int
    shared: int
    """Outputs that lie on an input of their operator."""


def stock_plan(
    model: Model, kernels: KernelSet, effort: int, tick: Tick = no_tick, states: int = ORDER_STATES
) -> StockPlan:
    """The best plan for `model` with these kernels; it may need more than the original. It has passed its proof.

    Raises InputError for a file of several subgraphs, whose plans older versions of TFLM misread.
    """
    if model.other_graphs:
        raise InputError("a plan alone (target stock) is for models of one subgraph; use the target split")
    graph = drop_dead(model.graph) if may_reorder(model.graph) else model.graph
    scratch = kernels.scratch(model)
    best: StockPlan | None = None
    for order in orders(graph, kernels.name, scratch, states):
        ordered = graph.with_operators(tuple(graph.operators[k] for k in order))
        found = _planned(model, ordered, kernels, effort, tick)
        if best is None or found.head_bytes < best.head_bytes:
            best = found
    assert best is not None
    check_plan(best.model, kernels)
    return best


def _planned(model: Model, graph: Graph, kernels: KernelSet, effort: int, tick: Tick) -> StockPlan:
    """The file with the operators of `graph`, and the smallest layout found for them."""
    scratch = kernels.scratch(model)
    tensors, bodies = _bodies(graph, [scratch_room_bytes(graph, op, scratch) for op in graph.operators])
    leeways = _leeways(graph, tensors, bodies, kernels.name)
    layout = plan(bodies, effort, leeways=leeways, granule_bytes=ALIGNMENT_BYTES, tick=tick)
    offsets = dict(zip(tensors, layout.addresses, strict=False))
    order = tuple(op.source[0] if op.source else op.index for op in graph.operators)
    written = write_model(model, Edit(tuple(KeptOperator(k) for k in order), offsets=offsets))
    used = dict(enumerate(all_offsets(written) or ()))
    head = planned_head(written.graph, used, kernels.scratch(written))
    shared = sum(_overlaps(bodies, layout, leeway) for leeway in leeways)
    return StockPlan(written, order, layout, head, shared)


def _bodies(graph: Graph, scratch: Sequence[int]) -> tuple[list[int], list[Body]]:
    """The tensors that TFLM plans, and a body for each, in steps of operators; then a body for each operator's scratch."""
    last = max(len(graph.operators), 1)
    start = dict.fromkeys(graph.inputs, 0)
    stop = dict.fromkeys(graph.inputs, 1)
    for k, op in enumerate(graph.operators):
        for t in op.outputs:
            start[t], stop[t] = k, k + 1
        stop |= {t: k + 1 for t in op.inputs if t != ABSENT and t in start}
    stop |= {t: last for t in graph.outputs if t in start}
    tensors = [t for t in sorted(start) if activation_bytes(graph.tensors[t])]
    bodies = [_body(start[t], stop[t], activation_bytes(graph.tensors[t])) for t in tensors]
    return tensors, bodies + [_body(k, k + 1, nbytes) for k, nbytes in enumerate(scratch) if nbytes]


def _body(start: int, stop: int, nbytes: int) -> Body:
    return Body((Span(start, stop, 0, rounded(nbytes)),), ALIGNMENT_BYTES)


def _leeways(graph: Graph, tensors: Sequence[int], bodies: Sequence[Body], kernels: str) -> tuple[Leeway, ...]:
    body_of = {t: b for b, t in enumerate(tensors)}
    found = []
    for k, op in enumerate(graph.operators):
        for t in dict.fromkeys(op.inputs):
            dies = t in body_of and t not in graph.outputs and bodies[body_of[t]].stop == k + 1
            distance = distance_bytes(graph, op, t, kernels) if dies else None
            if distance is not None and op.outputs[0] in body_of:
                written = body_of[op.outputs[0]]
                if distance < bodies[written].bytes and bodies[written].start == k:
                    found.append(Leeway(body_of[t], written, distance))
    return tuple(found)


def _overlaps(bodies: Sequence[Body], layout: Layout, leeway: Leeway) -> bool:
    read, written = layout.addresses[leeway.read], layout.addresses[leeway.written]
    return read < written + bodies[leeway.written].bytes and written < read + bodies[leeway.read].bytes
