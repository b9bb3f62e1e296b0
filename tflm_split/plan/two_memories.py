"""Addresses in two memories, a small fast one and a large slow one: which body lies where, so that steps touch the slow one least?

    one memory                       two memories
    +----------------------+         fast +------------+    what is touched often, per byte
    | hot | input |  cold  |   ->         | hot | cold |
    +----------------------+         slow +-------+----+    what is touched seldom
                                          | input |cold|
                                          +-------+----+

Both take `total_bytes` together at most: a row that goes to the slow memory leaves a hole in the fast one, and holes add up. How
much of the fast memory is worth using is therefore part of the choice. For several amounts, `spill.py` chooses bodies by live
bytes, and then with a margin for holes; the choice of least traffic for which both memories have a layout within their sizes is
taken. Where none has, all that may go there lies in the slow memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from tflm_split.plan.portfolio import plan
from tflm_split.plan.problem import Body, Layout, Leeway
from tflm_split.plan.progress import Tick, no_tick
from tflm_split.plan.spill import SpillProblem, spill

AMOUNTS = (1.0, 1.25, 1.5, 1.75)
"""The amounts of fast memory that are tried, as multiples of powers of two, down to a 16th of all of it."""
LARGE_BODIES = 3
"""So many of the largest bodies are given room in the slow memory as one more amount each."""
MARGINS = (0.0, 0.01, 0.03, 0.06)
"""The share of both sizes that is left free for holes when bodies are chosen."""
PLANNED = 4
"""So many amounts, those of least traffic, are given to the whole planner, if first fit finds no addresses for them."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """What there is of each memory, and what both may take together, in bytes."""

    fast_bytes: int
    slow_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True)
class TwoLayouts:
    """`slow` are the bodies in the slow memory. `addresses[b]` counts from the start of the memory that body b lies in."""

    slow: frozenset[int]
    addresses: tuple[int, ...]
    fast_bytes: int
    slow_bytes: int
    traffic_bytes: int
    technique: str


def place_in_two(
    problem: SpillProblem, sizes: Sizes, effort: int, granule_bytes: int = 1, tick: Tick = no_tick
) -> TwoLayouts | None:
    """The layout of least traffic that was found within `sizes`; None if there is none.

    A fast memory of 0 bytes is one, too: nothing then lies in it. What is found for a smaller fast memory is tried for a larger
    one, too, so that more of it does not cost traffic.
    """
    amounts = dict.fromkeys(_amounts(problem, sizes, granule_bytes))
    # `traffic` puts the cheapest first; an amount for which nothing is found needs no other margin.
    chosen = {amount: _chosen(problem, sizes, amount, MARGINS[0]) for amount in amounts}
    ordered = sorted(
        (amount for amount in amounts if chosen[amount] is not None), key=lambda a: _cost(problem, chosen[a])
    )
    best: TwoLayouts | None = None
    for tried, amounts_left in ((0, ordered), (effort, ordered[:PLANNED])):
        for amount in amounts_left:
            for margin in MARGINS:
                tick()
                slow = chosen[amount] if margin == MARGINS[0] else _chosen(problem, sizes, amount, margin)
                if slow is None or (best is not None and problem.traffic_of(slow) >= best.traffic_bytes):
                    break
                packed = _packed(problem, slow, sizes, tried, granule_bytes, tick)
                if packed is not None:
                    best = packed
                    break
    if best is not None:
        return best
    rest = frozenset(range(len(problem.bodies))) - problem.pinned
    return _packed(problem, rest, sizes, effort, granule_bytes, tick)


def _chosen(problem: SpillProblem, sizes: Sizes, fast_bytes: int, margin: float) -> frozenset[int] | None:
    """Bodies for the slow memory if so much of the fast one is used, a share of it for holes; None where none are found."""
    slow_bytes = min(sizes.slow_bytes, sizes.total_bytes - fast_bytes)
    return spill(problem, int(fast_bytes * (1 - margin)), int(slow_bytes * (1 - margin)))


def _cost(problem: SpillProblem, slow: frozenset[int] | None) -> tuple[int, int]:
    return (problem.traffic_of(slow or frozenset()), len(slow or ()))


def _amounts(problem: SpillProblem, sizes: Sizes, granule_bytes: int) -> Iterator[int]:
    """How much of the fast memory may be used: steps that are the same for all sizes, all of it, and what one large body in the
    slow memory leaves."""
    most = min(sizes.fast_bytes, sizes.total_bytes)
    powers = [1 << k for k in range(max(0, (most // 16).bit_length() - 1), most.bit_length())]
    amounts = {0, most} | {int(power * times) for power in powers for times in AMOUNTS if power * times <= most}
    largest = sorted((b.bytes for b in problem.bodies), reverse=True)[:LARGE_BODIES]
    amounts.update(sizes.total_bytes - nbytes for nbytes in largest if 0 <= sizes.total_bytes - nbytes <= most)
    return (amount // granule_bytes * granule_bytes for amount in sorted(amounts, reverse=True))


def _packed(
    problem: SpillProblem, slow: AbstractSet[int], sizes: Sizes, effort: int, granule_bytes: int, tick: Tick
) -> TwoLayouts | None:
    """The bodies with addresses, by first fit (effort 0) or by the whole planner. None if they take too much."""
    layouts = [_layout(problem, bodies, effort, granule_bytes, tick) for bodies in _both(problem, slow)]
    fast_bytes, slow_bytes = (-(-layout.head_bytes // granule_bytes) * granule_bytes for layout, _ in layouts)
    inside = fast_bytes <= sizes.fast_bytes and slow_bytes <= sizes.slow_bytes
    if not inside or fast_bytes + slow_bytes > sizes.total_bytes:
        return None
    addresses = [0] * len(problem.bodies)
    for layout, bodies in layouts:
        for body, address in zip(bodies, layout.addresses, strict=True):
            addresses[body] = address
    technique = layouts[0][0].technique or layouts[1][0].technique
    return TwoLayouts(frozenset(slow), tuple(addresses), fast_bytes, slow_bytes, problem.traffic_of(slow), technique)


def _both(problem: SpillProblem, slow: AbstractSet[int]) -> tuple[list[int], list[int]]:
    everything = range(len(problem.bodies))
    return [b for b in everything if b not in slow], [b for b in everything if b in slow]


def _layout(
    problem: SpillProblem, chosen: Sequence[int], effort: int, granule_bytes: int, tick: Tick
) -> tuple[Layout, Sequence[int]]:
    """A layout of some of the bodies, and which they are."""
    if not chosen:
        return Layout((), 0, ""), chosen
    number = {body: k for k, body in enumerate(chosen)}
    bodies: list[Body] = [problem.bodies[b] for b in chosen]
    leeways: list[Leeway] = [
        replace(leeway, read=number[leeway.read], written=number[leeway.written])
        for leeway in problem.leeways
        if leeway.read in number and leeway.written in number
    ]
    return plan(bodies, effort, leeways=leeways, granule_bytes=granule_bytes, tick=tick), chosen
