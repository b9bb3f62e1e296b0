"""The smallest layout of several placing orders, then of a repair loop on the best of them.

Stops at once when the live lower bound is reached: nothing can be smaller.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from tflm_split.plan.check import check_layout
from tflm_split.plan.first_fit import FirstFit
from tflm_split.plan.problem import Body, Layout, head_bytes, live_lower_bound

Key = Callable[[Body], tuple[int, ...]]

ORDERS: tuple[tuple[str, Key], ...] = (
    ("long lives first", lambda b: (-(b.stop - b.start), -b.bytes, b.start)),
    ("big first", lambda b: (-b.bytes, -(b.stop - b.start), b.start)),
    ("in order of birth", lambda b: (b.start, -(b.stop - b.start), -b.bytes)),
    ("big times long first", lambda b: (-b.bytes * (b.stop - b.start), b.start)),
    ("in order of death, last first", lambda b: (-b.stop, b.start, -b.bytes)),
)


def plan(bodies: Sequence[Body], effort: int = 40, seed: int = 0) -> Layout:
    """A checked layout of `bodies`; `effort` is the number of repair rounds after the fixed orders."""
    if not bodies:
        return Layout((), 0, "empty")
    bound = live_lower_bound(bodies)
    solver = FirstFit(bodies)
    best: Layout | None = None
    best_order: list[int] = []

    def consider(order: list[int], technique: str, best_fit: bool) -> bool:
        nonlocal best, best_order
        addresses = solver.place(order, best_fit=best_fit)
        head = head_bytes(bodies, addresses)
        if best is None or head < best.head_bytes:
            best, best_order = Layout(tuple(addresses), head, technique), order
        return best.head_bytes <= bound

    done = False
    for name, key in ORDERS:
        order = sorted(range(len(bodies)), key=lambda b: (*key(bodies[b]), b))
        for best_fit in (False, True):
            done = done or consider(order, name + (", tightest hole" if best_fit else ""), best_fit)
    assert best is not None
    if not done:
        order = list(best_order)
        dice = random.Random(seed)
        for round_number in range(effort):
            # what ends highest goes first next time; a pinch of noise keeps the loop from cycling
            addresses = solver.place(order)
            head = head_bytes(bodies, addresses)
            if head < best.head_bytes:
                best, best_order = Layout(tuple(addresses), head, "repaired"), list(order)
                if head <= bound:
                    break
            tops = [b for b in order if addresses[b] + bodies[b].bytes > bound]
            for b in tops:
                order.remove(b)
                position = dice.randrange(0, max(1, len(order) // (2 + round_number % 7)))
                order.insert(position, b)
            if round_number % 10 == 9:
                order = list(best_order)
    check_layout(bodies, best)
    return best
