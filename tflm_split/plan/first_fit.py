"""Place bodies one after the other, each at the lowest address that is free for its whole life.

The order of placing decides everything; `portfolio.py` tries several.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from tflm_split.plan.problem import Body

Ints = npt.NDArray[np.int64]

_UNPLACED = np.iinfo(np.int64).min // 4


class FirstFit:
    """Bodies as arrays, so that one placement is a handful of numpy calls."""

    def __init__(self, bodies: Sequence[Body]) -> None:
        self.bodies = bodies
        counts = [len(b.spans) for b in bodies]
        self.first: Ints = np.concatenate(([0], np.cumsum(counts, dtype=np.int64))).astype(np.int64)
        spans = [s for b in bodies for s in b.spans]
        self.start: Ints = np.array([s.start for s in spans], dtype=np.int64)
        self.stop: Ints = np.array([s.stop for s in spans], dtype=np.int64)
        self.offset: Ints = np.array([s.offset for s in spans], dtype=np.int64)
        self.bytes: Ints = np.array([s.bytes for s in spans], dtype=np.int64)
        self._neighbours: dict[int, tuple[Ints, Ints, Ints]] = {}

    def neighbours(self, b: int) -> tuple[Ints, Ints, Ints]:
        """For every pair (own span, foreign span) alive together: foreign span, lowest and highest distance forbidden.

        The body may not lie at any address a with `span_address + low < a < span_address + high`.
        """
        if b not in self._neighbours:
            own = slice(int(self.first[b]), int(self.first[b + 1]))
            together = (self.start[None, :] < self.stop[own, None]) & (self.stop[None, :] > self.start[own, None])
            together[:, own] = False
            mine, theirs = np.nonzero(together)
            mine += own.start
            low = -self.offset[mine] - self.bytes[mine]
            high = self.bytes[theirs] - self.offset[mine]
            self._neighbours[b] = (theirs, low, high)
        return self._neighbours[b]

    def place(
        self,
        order: Sequence[int],
        fixed: Mapping[int, int] | None = None,
        best_fit: bool = False,
        keep: tuple[int, Sequence[int]] = (0, ()),
    ) -> list[int]:
        """Addresses of all bodies when placed in `order`; `fixed` ones lie where told and are placed before all others.

        `best_fit` takes the smallest hole that is large enough, not the lowest. `keep = (k, addresses)` says that the
        first k bodies of `order` are known to land at these addresses (a search changes the rest of an order only).
        """
        at = np.full(len(self.start), _UNPLACED, dtype=np.int64)
        addresses = [0] * len(self.bodies)
        fixed = fixed or {}

        def put(b: int, address: int) -> None:
            addresses[b] = address
            spans = slice(int(self.first[b]), int(self.first[b + 1]))
            at[spans] = address + self.offset[spans]

        for b, address in fixed.items():
            put(b, address)
        known, known_addresses = keep
        for b in order[:known]:
            put(b, known_addresses[b])
        for b in order[known:]:
            if b in fixed:
                continue
            theirs, low, high = self.neighbours(b)
            where = at[theirs]
            placed = where != _UNPLACED
            where = where[placed]
            put(b, _lowest(where + low[placed], where + high[placed], self.bodies[b].align, best_fit))
        return addresses

    def rivals(self, b: int) -> frozenset[int]:
        """The bodies alive at some time together with b."""
        theirs, _, _ = self.neighbours(b)
        return frozenset((np.searchsorted(self.first, theirs, side="right") - 1).tolist())


def _lowest(low: Ints, high: Ints, align: int, best_fit: bool) -> int:
    """The address outside all open intervals (low, high): lowest, or in the tightest hole; 0 if there are none."""
    relevant = high > 0
    low, high = low[relevant], high[relevant]
    if not len(low):
        return 0
    by_low = np.argsort(low, kind="stable")
    low, high = low[by_low], high[by_low]
    covered = np.maximum.accumulate(high)
    # hole k lies after everything that starts before interval k: from the highest end so far to that interval's start
    hole = np.concatenate(([0], covered))
    hole = -(-np.maximum(hole, 0) // align) * align
    limit = np.concatenate((low, [np.iinfo(np.int64).max]))
    fits = hole <= limit
    if best_fit:
        slack = np.where(fits, limit - hole, np.iinfo(np.int64).max)
        inner = slack[:-1]
        if len(inner) and inner.min() < np.iinfo(np.int64).max:
            return int(hole[int(np.argmin(inner))])
    return int(hole[int(np.argmax(fits))])
