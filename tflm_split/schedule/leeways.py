"""Which rows may a step write over rows that it reads for the last time? As the planner's leeways."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tflm_split.plan.problem import Leeway
from tflm_split.schedule.lives import Bodies, usable_overlaps
from tflm_split.schedule.step_graph import StepGraph


def leeways(
    step_graph: StepGraph, order: Sequence[int], bodies: Bodies, instructions_of: Callable[[int], float] = lambda _: 0.0
) -> tuple[Leeway, ...]:
    """All overlaps (`step_graph.py`) between pieces that are bodies of their own and meet in one step of `order` only.

    An overlap's distance is the least that keeps the kernels' promise: a row further down is written over what has been
    read for even longer. `instructions_of` a step: what it takes the device to do so.
    """
    alone: dict[int, tuple[int, int]] = {}
    for p, place in bodies.placements.items():
        body = bodies.bodies[place.body]
        if len(body.spans) == 1 and body.bytes == step_graph.pieces[p].bytes:
            alone[p] = (body.start, body.stop)
    found = [
        Leeway(
            bodies.placements[o.read].body,
            bodies.placements[o.written].body,
            o.distance_bytes,
            instructions_of(order[position]),
        )
        for position, o in usable_overlaps(step_graph, order, alone)
        if alone[o.read][0] < position
    ]
    return tuple(dict.fromkeys(found))
