"""Which rows may a step write over rows that it reads for the last time? As the planner's leeways."""

from __future__ import annotations

from collections.abc import Sequence

from tflm_split.plan.problem import Leeway
from tflm_split.schedule.lives import Bodies
from tflm_split.schedule.step_graph import StepGraph


def leeways(step_graph: StepGraph, order: Sequence[int], bodies: Bodies) -> tuple[Leeway, ...]:
    """All overlaps (`step_graph.py`) between pieces that are bodies of their own and meet in one step of `order` only.

    An overlap's distance is the least that keeps the kernels' promise: a row further down is written over what has been
    read for even longer.
    """
    found: list[Leeway] = []
    for position, s in enumerate(order):
        for overlap in step_graph.steps[s].overlaps:
            if overlap.read in step_graph.final:
                continue
            pair = []
            for p in (overlap.read, overlap.written):
                place = bodies.placements.get(p)
                body = bodies.bodies[place.body] if place else None
                if place and body and len(body.spans) == 1 and body.bytes == step_graph.pieces[p].bytes:
                    pair.append(place.body)
            if len(pair) == 2:
                read, written = (bodies.bodies[b] for b in pair)
                if read.stop == position + 1 and read.start < position == written.start < written.stop:
                    found.append(Leeway(pair[0], pair[1], overlap.distance_bytes))
    return tuple(dict.fromkeys(found))
