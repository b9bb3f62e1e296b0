"""The smallest layout of a portfolio: placing orders, the largest tensor at either end, then repairs of the best.

Stops at once when the live lower bound is reached: nothing can be smaller.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from tflm_split.plan.check import check_layout
from tflm_split.plan.first_fit import FirstFit
from tflm_split.plan.problem import Body, Layout, live_lower_bound
from tflm_split.plan.repair import Repairer, native

Key = Callable[[Body], tuple[int, ...]]

ORDERS: tuple[tuple[str, Key], ...] = (
    ("in order of birth", lambda b: (b.start, -(b.stop - b.start), -b.bytes)),
    ("long lives first", lambda b: (-(b.stop - b.start), -b.bytes, b.start)),
    ("big first", lambda b: (-b.bytes, -(b.stop - b.start), b.start)),
    ("big times long first", lambda b: (-b.bytes * (b.stop - b.start), b.start)),
    ("in order of death, last first", lambda b: (-b.stop, b.start, -b.bytes)),
)
TARGETS = (0.0, 0.004, 0.008, 0.012, 0.016, 0.024, 0.032)
"""Heads to aim for when a tensor is pinned to the top, as excess over the lower bound."""
QUICK_TARGETS = (0.0, 0.016)
"""The same where placing everything once is already slow."""
DEFAULT_EFFORT = 1500
"""Thousands of bodies to place while repairing (a round places about half of all), and `PAIRS` pairs of rivals each."""
PAIRS = 120
"""Pairs of rivals a body has when it counts as one: bodies with many more cost as much as several."""
MANY_PAIRS = 300_000
RESTARTS = 3
"""Into how many runs with dice of their own a start's rounds are divided."""


@dataclass(frozen=True, slots=True)
class _Start:
    """One way to place everything, and what came of it. `rank`: head, then bytes above the bound."""

    order: tuple[int, ...]
    fixed: Mapping[int, int]
    best_fit: bool
    technique: str
    addresses: tuple[int, ...]
    rank: tuple[int, int]
    target_bytes: int
    """End of the pinned tensor; 0 when nothing is pinned."""


def plan(bodies: Sequence[Body], effort: int = DEFAULT_EFFORT, seed: int = 0, use_native: bool = True) -> Layout:
    """A checked layout of `bodies`; `effort` counts thousands of bodies placed. Same arguments, same layout."""
    if not bodies:
        return Layout((), 0, "empty")
    bound = live_lower_bound(bodies)
    repairer = Repairer(FirstFit(bodies), bound, native() if use_native else None)
    starts = sorted(_starts(bodies, bound, repairer), key=lambda s: s.rank)
    rank, addresses, technique = starts[0].rank, starts[0].addresses, starts[0].technique
    rounds = 1000 * effort // max(len(bodies), repairer.pairs // PAIRS) // RESTARTS
    for start, run in product(_worth_repairing(starts, bound), range(RESTARTS)):
        if rank[0] <= bound or not rounds:
            break
        found = repairer.repaired(start.order, start.addresses, start.fixed, start.best_fit, rounds, seed + run)
        if repairer.rank(found) < rank:
            rank, addresses, technique = repairer.rank(found), tuple(found), start.technique + ", repaired"
    layout = Layout(addresses, rank[0], technique)
    check_layout(bodies, layout)
    return layout


def _starts(bodies: Sequence[Body], bound: int, repairer: Repairer) -> list[_Start]:
    """All orders with nothing pinned, then with the largest tensor at the top of a head that should suffice.

    A model's input frees its rows from its start on. At the bottom of the head, that hole and the free space above the
    input stay apart until it is gone; at the top they are one.
    """
    found: list[_Start] = []
    largest = max(range(len(bodies)), key=lambda b: (len(bodies[b].spans) > 1, bodies[b].bytes))
    pins: list[tuple[str, dict[int, int]]] = [("", {})]
    if len(bodies[largest].spans) > 1:
        body = bodies[largest]
        for excess in TARGETS if repairer.pairs < MANY_PAIRS else QUICK_TARGETS:
            address = -(-(int(bound * (1 + excess)) - body.bytes) // body.align) * body.align
            pins.append((", largest tensor on top", {largest: max(address, 0)}))
    for suffix, fixed in pins:
        target = max((a + bodies[b].bytes for b, a in fixed.items()), default=0)
        for name, key in ORDERS:
            order = tuple(sorted(range(len(bodies)), key=lambda b: (*key(bodies[b]), b)))
            for best_fit in (False, True):
                technique = name + (", tightest hole" if best_fit else "") + suffix
                addresses = tuple(repairer.placed(order, fixed, best_fit))
                rank = repairer.rank(addresses)
                found.append(_Start(order, fixed, best_fit, technique, addresses, rank, target))
                if rank[0] <= bound:
                    return found
    return found


def _worth_repairing(starts: Sequence[_Start], bound_bytes: int) -> list[_Start]:
    """The best start with nothing pinned, and the one with the fewest bytes too high among those pinned to the bound."""
    free = [s for s in starts if not s.fixed]
    tight = [s for s in starts if s.fixed and s.target_bytes <= bound_bytes * (1 + TARGETS[1])]
    chosen = free[:1] + sorted(tight, key=lambda s: s.rank[1])[:1]
    return sorted(chosen, key=lambda s: s.rank[1])
