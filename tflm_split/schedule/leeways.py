"""Which rows may a step write over rows that it reads for the last time? As the planner's leeways."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tflm_split.plan.problem import Leeway
from tflm_split.schedule.lives import Bodies, usable_overlaps
from tflm_split.schedule.step_graph import StepGraph


@dataclass(frozen=True, slots=True)
class Price:
    """What it takes the device if a step's row lies on one it reads: `instructions`, unless it starts `free_after_bytes`
    further down than it must."""

    instructions: float
    free_after_bytes: int


FREE = Price(0.0, 0)


def leeways(
    step_graph: StepGraph, order: Sequence[int], bodies: Bodies, price_of: Callable[[int], Price] = lambda _: FREE
) -> tuple[Leeway, ...]:
    """All overlaps (`step_graph.py`) between pieces that are bodies of their own and meet in one step of `order` only.

    An overlap's distance is the least that keeps the kernels' promise: a row further down is written over what has been
    read for even longer.
    """
    alone: dict[int, tuple[int, int]] = {}
    for p, place in bodies.placements.items():
        body = bodies.bodies[place.body]
        if len(body.spans) == 1 and body.bytes == step_graph.pieces[p].bytes:
            alone[p] = (body.start, body.stop)
    found = dict[Leeway, None]()
    for position, o in usable_overlaps(step_graph, order, alone):
        if alone[o.read][0] < position:
            read, written = bodies.placements[o.read].body, bodies.placements[o.written].body
            price = price_of(order[position])
            free_from = o.distance_bytes + price.free_after_bytes
            found[Leeway(read, written, o.distance_bytes, price.instructions, free_from)] = None
    return tuple(found)
