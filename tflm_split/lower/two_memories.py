"""A plan in one memory -> the same steps in the same order, with their rows in a fast and in a slow memory.

Of the fast memory, what lies in TFLM's arena: what stock operators read, write or need as scratch must lie there, because TFLM
gives it its place. All else may go to the slow one: rows, sums, and tensors at the border of a region, whose address the region's
operator tells TFLM.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tflm_split.lower.compile import Plan, compile_schedule
from tflm_split.lower.place import SLOW_BASE, Allowance, allowed_leeways
from tflm_split.plan.problem import Move
from tflm_split.plan.progress import Tick, no_tick
from tflm_split.plan.spill import SpillProblem
from tflm_split.plan.two_memories import Sizes, place_in_two
from tflm_split.schedule.lives import TENSOR_ALIGN


@dataclass(frozen=True, slots=True)
class _Given:
    """A layout for `compile_schedule`."""

    addresses: tuple[int, ...]
    only_free: bool
    technique: str
    solver: str = ""
    moves: tuple[Move, ...] = ()


def in_two_memories(plan: Plan, sizes: Sizes, allowance: Allowance, effort: int, tick: Tick = no_tick) -> Plan | None:
    """`plan` within `sizes`, with the least predicted traffic to the slow memory that was found; None if it does not fit."""
    bodies = plan.bodies.bodies
    may_share = allowed_leeways(plan.split, plan.step_graph, plan.schedule, plan.bodies, allowance)
    problem = SpillProblem(bodies, may_share, traffic(plan), frozenset(_pinned(plan)))
    found = place_in_two(problem, sizes, effort, TENSOR_ALIGN, tick)
    if found is None:
        return None
    addresses = tuple(a + SLOW_BASE * (b in found.slow) for b, a in enumerate(found.addresses))
    given = _Given(addresses, allowance.only_free, f"{found.technique}, in two memories")
    return compile_schedule(plan.split, plan.step_graph, plan.schedule, 0, allowance, given=given)


def traffic(plan: Plan) -> list[int]:
    """By body: bytes that the steps read and write of it. A row counts whole in each step that touches it."""
    pieces = plan.step_graph.pieces
    counted = [0] * len(plan.bodies.bodies)
    for s in plan.schedule.steps:
        step = plan.step_graph.steps[s]
        for p in (*step.reads, *step.writes):
            if p in plan.bodies.placements:
                counted[plan.bodies.placements[p].body] += pieces[p].bytes
    return counted


def _pinned(plan: Plan) -> Iterator[int]:
    """The bodies that must lie in the fast memory."""
    storage_of = plan.split.storages.storage_of
    at_borders = {t for region in plan.regions for t in (*region.inputs, *region.outputs)}
    seen_by_tflm = {storage_of[t] for t in plan.offsets if t not in at_borders}
    for p, place in plan.bodies.placements.items():
        storage = plan.step_graph.pieces[p].storage
        if storage in seen_by_tflm or storage in plan.step_graph.scratch:
            yield place.body
