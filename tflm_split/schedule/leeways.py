"""Which rows may a step write in place, over rows that it reads for the last time? The answers are the planner's leeways."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tflm_split.plan.problem import Leeway
from tflm_split.schedule.lives import Bodies, usable_overlaps
from tflm_split.schedule.step_graph import StepGraph


@dataclass(frozen=True, slots=True)
class Price:
    """What the device pays for a step that writes in place: these `instructions`.

    The kernel is as fast as ever if the row starts at least `free_after_bytes` further down than the overlap asks for.
    """

    instructions: float
    free_after_bytes: int


FREE = Price(0.0, 0)
"""To write in place costs nothing."""


def leeways(
    step_graph: StepGraph, order: Sequence[int], bodies: Bodies, price_of: Callable[[int], Price] = lambda _: FREE
) -> tuple[Leeway, ...]:
    """One leeway for each usable overlap (`lives.py`) between two pieces that are bodies of their own.

    The pieces meet in one step of `order` only. An overlap's distance is the least with which the kernel reads every byte
    before it writes over it. A larger distance is safe, too: those bytes were read even earlier.
    """
    alone: dict[int, tuple[int, int]] = {}
    """Piece that is a body of its own -> its live interval."""
    for p, place in bodies.placements.items():
        body = bodies.bodies[place.body]
        if len(body.spans) == 1 and body.bytes == step_graph.pieces[p].bytes:
            alone[p] = (body.start, body.stop)
    distinct = dict[Leeway, None]()
    for position, o in usable_overlaps(step_graph, order, alone):
        if alone[o.read][0] < position:
            read, written = bodies.placements[o.read].body, bodies.placements[o.written].body
            price = price_of(order[position])
            free_from = o.distance_bytes + price.free_after_bytes
            distinct[Leeway(read, written, o.distance_bytes, price.instructions, free_from)] = None
    return tuple(distinct)
