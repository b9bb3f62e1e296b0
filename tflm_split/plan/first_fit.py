"""Place bodies one after the other, each at the lowest address that is free for its whole life.

The order of placing decides everything; `portfolio.py` tries several. `Distances` says what bodies must keep from each
other, which is all that any way of placing them needs to know.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tflm_split.plan.problem import Body, Leeway

Ints = npt.NDArray[np.int64]
LIBRARY = Path(__file__).resolve().parents[1] / "_host" / "libtflm_split_host.so"

_UNPLACED = np.iinfo(np.int64).min
_NAMES = ("body_bytes", "align", "pair_first", "pair_body", "pair_low", "pair_high", "pair_twin")


class NativeProblem(ctypes.Structure):
    """`problem` of squeeze.c."""

    _fields_ = [("bodies", ctypes.c_int64), *((name, ctypes.c_void_p) for name in _NAMES)]


@cache
def native() -> ctypes.CDLL | None:
    """The host library, if it is there and has the planner's loops."""
    try:
        library = ctypes.CDLL(str(LIBRARY))
        library.tflm_split_squeeze.restype = ctypes.c_int64
        library.tflm_split_place.restype = ctypes.c_int64
    except (OSError, AttributeError):
        return None
    return library


def pointer(array: Ints) -> ctypes.c_void_p:
    """An array's address, for C."""
    return ctypes.c_void_p(array.ctypes.data)


class Distances:
    """Per body, the pairs it is one of: it may not lie at any address a with `other's address + low < a < ... + high`.

    Pairs k of body b are those with `pair_first[b] <= k < pair_first[b + 1]`; two bodies are a pair several times if
    the forbidden distances have gaps. `pair_twin[k]` is the same pair among the other body's.
    """

    def __init__(self, bodies: Sequence[Body], leeways: Sequence[Leeway] = ()) -> None:
        self.bodies = bodies
        self.body_bytes: Ints = np.array([b.bytes for b in bodies], dtype=np.int64)
        self.align: Ints = np.array([b.align for b in bodies], dtype=np.int64)
        living = [[s for s in b.spans if s.start < s.stop and s.bytes] for b in bodies]
        self._owner: Ints = np.repeat(np.arange(len(bodies)), [len(found) for found in living]).astype(np.int64)
        spans = [s for found in living for s in found]
        self._start: Ints = np.array([s.start for s in spans], dtype=np.int64)
        self._stop: Ints = np.array([s.stop for s in spans], dtype=np.int64)
        self._offset: Ints = np.array([s.offset for s in spans], dtype=np.int64)
        self._bytes: Ints = np.array([s.bytes for s in spans], dtype=np.int64)
        may_lie_on: dict[int, dict[int, int]] = {}
        may_lie_under: dict[int, dict[int, int]] = {}
        for leeway in leeways:
            may_lie_on.setdefault(leeway.written, {})[leeway.read] = leeway.distance_bytes
            may_lie_under.setdefault(leeway.read, {})[leeway.written] = leeway.distance_bytes
        pairs = [self._of(b, may_lie_on.get(b, {}), may_lie_under.get(b, {})) for b in range(len(bodies))]
        self.pair_first = np.cumsum([0, *(len(other) for other, _, _ in pairs)], dtype=np.int64)
        self.pair_body, self.pair_low, self.pair_high = (
            np.concatenate([np.zeros(0, dtype=np.int64), *(f[k] for f in pairs)]).astype(np.int64) for k in range(3)
        )
        own = np.repeat(np.arange(len(bodies)), np.diff(self.pair_first))
        mirrored = np.lexsort((-self.pair_high, own, self.pair_body))
        self.pair_twin: Ints = np.empty(len(own), dtype=np.int64)
        self.pair_twin[mirrored] = np.arange(len(own))
        arrays = [getattr(self, name) for name in _NAMES]
        self.native_problem = NativeProblem(len(bodies), *(array.ctypes.data for array in arrays))

    @property
    def pairs(self) -> int:
        return len(self.pair_body)

    def of(self, b: int) -> tuple[Ints, Ints, Ints]:
        """(other body, low, high) of the pairs of body b."""
        mine = slice(int(self.pair_first[b]), int(self.pair_first[b + 1]))
        return self.pair_body[mine], self.pair_low[mine], self.pair_high[mine]

    def _of(self, b: int, on: Mapping[int, int], under: Mapping[int, int]) -> tuple[Ints, Ints, Ints]:
        own = np.flatnonzero(self._owner == b)
        together = (self._start[None, :] < self._stop[own, None]) & (self._stop[None, :] > self._start[own, None])
        together[:, own] = False
        mine, theirs = np.nonzero(together)
        mine = own[mine]
        other = self._owner[theirs]
        low = self._offset[theirs] - self._offset[mine] - self._bytes[mine]
        high = self._offset[theirs] - self._offset[mine] + self._bytes[theirs]
        if not on and not under:
            return _united(other, low, high)
        extra: list[tuple[int, int, int]] = []
        for k, o in enumerate(other.tolist()):
            same = int(self._offset[theirs[k]] - self._offset[mine[k]])
            """Where both start at the very same byte."""
            if on.get(o):
                low[k] = max(low[k], same - on[o])
            elif under.get(o):
                high[k] = min(high[k], same + under[o])
            elif o in on or o in under:  # below, above, or at the very same address
                extra.append((o, same, int(high[k])))
                high[k] = same
        if extra:
            more = np.array(extra, dtype=np.int64)
            other, low, high = (np.concatenate((x, more[:, k])) for k, x in enumerate((other, low, high)))
        return _united(other, low, high)

    def place(
        self,
        order: Sequence[int],
        fixed: Mapping[int, int] | None = None,
        best_fit: bool = False,
        use_native: bool = False,
    ) -> list[int]:
        """Addresses of all bodies when placed in `order`; `fixed` ones lie where told and are placed before all others.

        `best_fit` takes the smallest hole that is large enough, not the lowest.
        """
        addresses = np.full(len(self.bodies), _UNPLACED, dtype=np.int64)
        for b, address in (fixed or {}).items():
            addresses[b] = address
        library = native() if use_native else None
        if library is not None:
            orders, found = np.array(order, dtype=np.int64), np.empty_like(addresses)
            problem = ctypes.byref(self.native_problem)
            tight = ctypes.c_int64(best_fit)
            if library.tflm_split_place(problem, pointer(orders), pointer(addresses), tight, pointer(found)) < 0:
                raise MemoryError
            return [int(a) for a in found]
        for b in order:
            if addresses[b] == _UNPLACED:
                others, low, high = self.of(b)
                where = addresses[others]
                placed = where != _UNPLACED
                where = where[placed]
                addresses[b] = _lowest(where + low[placed], where + high[placed], self.bodies[b].align, best_fit)
        return [int(a) for a in addresses]


def _united(other: Ints, low: Ints, high: Ints) -> tuple[Ints, Ints, Ints]:
    """Open intervals per other body, those that overlap as one, by body and then ascending."""
    if not len(other):
        return other, low, high
    by_low = np.lexsort((low, other))
    other, low, high = other[by_low], low[by_low], high[by_low]
    apart = np.int64(high.max() - low.min() + 1)
    reach = np.maximum.accumulate(high + other * apart)
    first = np.concatenate(([True], low[1:] + other[1:] * apart >= reach[:-1]))
    last = np.concatenate((first[1:], [True]))
    return other[first], low[first], reach[last] - other[last] * apart


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
