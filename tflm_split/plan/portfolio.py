"""The smallest layout of a portfolio: placing orders, the largest tensor at either end, then repairs of the best.

Stops at once when the live lower bound is reached: nothing can be smaller.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tflm_split.plan.check import check_layout
from tflm_split.plan.first_fit import FirstFit
from tflm_split.plan.problem import Body, Layout, head_bytes, live_lower_bound

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
DEFAULT_EFFORT = 240
"""Repair rounds per start."""


@dataclass(frozen=True, slots=True)
class _Start:
    """One way to place everything, and what came of it. Better is smaller: head, then bytes above the bound."""

    order: tuple[int, ...]
    fixed: Mapping[int, int]
    best_fit: bool
    technique: str
    addresses: tuple[int, ...]
    head_bytes: int
    excess_bytes: int
    target_bytes: int = 0
    """End of the pinned tensor; 0 when nothing is pinned."""

    @property
    def rank(self) -> tuple[int, int]:
        return self.head_bytes, self.excess_bytes


def plan(bodies: Sequence[Body], effort: int = DEFAULT_EFFORT, seed: int = 0) -> Layout:
    """A checked layout of `bodies`; `effort` counts repair rounds. Same arguments, same layout."""
    if not bodies:
        return Layout((), 0, "empty")
    search = _Search(bodies)
    starts = sorted(search.starts(), key=lambda s: s.rank)
    best = starts[0]
    for start in _worth_repairing(starts, search.bound_bytes):
        if best.head_bytes <= search.bound_bytes:
            break
        best = min(best, search.repaired(start, effort, random.Random(seed)), key=lambda s: s.rank)
    layout = Layout(best.addresses, best.head_bytes, best.technique)
    check_layout(bodies, layout)
    return layout


def _worth_repairing(starts: Sequence[_Start], bound_bytes: int) -> list[_Start]:
    """The best start with nothing pinned, and the one with the fewest bytes too high among those pinned to the bound."""
    free = [s for s in starts if not s.fixed]
    tight = [s for s in starts if s.fixed and s.target_bytes <= bound_bytes * (1 + TARGETS[1])]
    chosen = free[:1] + sorted(tight, key=lambda s: s.excess_bytes)[:1]
    return sorted(chosen, key=lambda s: s.excess_bytes)


class _Search:
    def __init__(self, bodies: Sequence[Body]) -> None:
        self.bodies = bodies
        self.solver = FirstFit(bodies)
        self.bound_bytes = live_lower_bound(bodies)

    def tried(
        self,
        order: Sequence[int],
        fixed: Mapping[int, int],
        best_fit: bool,
        technique: str,
        keep: tuple[int, Sequence[int]] = (0, ()),
    ) -> _Start:
        addresses = self.solver.place(order, fixed, best_fit, keep)
        excess = sum(max(0, a + b.bytes - self.bound_bytes) for a, b in zip(addresses, self.bodies, strict=True))
        head = head_bytes(self.bodies, addresses)
        target = max((a + self.bodies[b].bytes for b, a in fixed.items()), default=0)
        return _Start(tuple(order), fixed, best_fit, technique, tuple(addresses), head, excess, target)

    def starts(self) -> list[_Start]:
        """All orders with nothing pinned, then with the largest tensor at the top of a head that should suffice.

        A model's input frees its rows from its start on. At the bottom of the head, that hole and the free space above
        the input stay apart until it is gone; at the top they are one.
        """
        found: list[_Start] = []
        largest = max(range(len(self.bodies)), key=lambda b: (len(self.bodies[b].spans) > 1, self.bodies[b].bytes))
        pins: list[tuple[str, dict[int, int]]] = [("", {})]
        if len(self.bodies[largest].spans) > 1:
            for excess in TARGETS:
                body = self.bodies[largest]
                address = (int(self.bound_bytes * (1 + excess)) - body.bytes + body.align - 1) // body.align * body.align
                pins.append((", largest tensor on top", {largest: max(address, 0)}))
        for suffix, fixed in pins:
            for name, key in ORDERS:
                order = sorted(range(len(self.bodies)), key=lambda b: (*key(self.bodies[b]), b))
                for best_fit in (False, True):
                    technique = name + (", tightest hole" if best_fit else "") + suffix
                    found.append(self.tried(order, fixed, best_fit, technique))
                    if found[-1].head_bytes <= self.bound_bytes:
                        return found
        return found

    def repaired(self, start: _Start, effort: int, dice: random.Random) -> _Start:
        """The best layout met while bodies that end too high are placed earlier, before one they compete with."""
        best = now = start
        for _ in range(effort):
            ends = [a + b.bytes for a, b in zip(now.addresses, self.bodies, strict=True)]
            limit = now.head_bytes - 1 if dice.random() < 0.7 else self.bound_bytes
            culprits = [b for b, end in enumerate(ends) if end > limit and b not in now.fixed]
            if not culprits:
                break
            culprit = dice.choice(culprits)
            position = {b: i for i, b in enumerate(now.order)}
            rivals = self.solver.rivals(culprit)
            earlier = sorted(position[r] for r in rivals if position[r] < position[culprit] and r not in now.fixed)
            order = list(now.order)
            changed = len(order)
            if earlier:
                changed = dice.choice(earlier)
                order.remove(culprit)
                order.insert(changed, culprit)
            if not earlier or dice.random() < 0.3:
                taken, put = dice.randrange(len(order)), dice.randrange(len(order))
                order.insert(put, order.pop(taken))
                changed = min(changed, taken, put)
            then = self.tried(order, now.fixed, now.best_fit, start.technique + ", repaired", (changed, now.addresses))
            if then.rank <= now.rank or dice.random() < 0.02:
                now = then
            if now.rank < best.rank:
                best = now
            if best.head_bytes <= self.bound_bytes:
                break
        return best
