"""Place bodies one after the other, each at the lowest address that is free for its whole life.

The order of placing decides everything; `portfolio.py` tries several. `Distances` says what bodies must keep from each
other, which is all that any way of placing them needs to know.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from tflm_split.native.loops import native, pointer
from tflm_split.plan.problem import Body, Leeway

Ints = npt.NDArray[np.int64]

_UNPLACED = np.iinfo(np.int64).min
_NAMES = ("body_bytes", "align", "pair_first", "pair_body", "pair_low", "pair_high", "pair_twin")


class NativeProblem(ctypes.Structure):
    """`problem` of squeeze.c."""

    _fields_ = [("bodies", ctypes.c_int64), *((name, ctypes.c_void_p) for name in _NAMES)]


class Distances:
    """Per body, the pairs it is one of: it may not lie at any address a with `other's address + low < a < ... + high`.

    Pairs k of body b are those with `pair_first[b] <= k < pair_first[b + 1]`; two bodies are a pair several times if
    the forbidden distances have gaps. `pair_twin[k]` is the same pair among the other body's.
    """

    def __init__(self, bodies: Sequence[Body], leeways: Sequence[Leeway] = ()) -> None:
        self.bodies = bodies
        self.body_bytes: Ints = np.array([b.bytes for b in bodies], dtype=np.int64)
        self.align: Ints = np.array([b.align for b in bodies], dtype=np.int64)
        own, other, low, high = _united(*_told_apart(*_meetings(bodies), leeways))
        self.pair_body, self.pair_low, self.pair_high = other, low, high
        self.pair_first: Ints = np.zeros(len(bodies) + 1, dtype=np.int64)
        np.cumsum(np.bincount(own, minlength=len(bodies)), out=self.pair_first[1:])
        mirrored = _sorted_by_pair(other, own, -high)
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


def _meetings(bodies: Sequence[Body]) -> tuple[Ints, Ints, Ints, Ints, Ints]:
    """(body, other, same, low, high) of all spans of two bodies that live at the same time, each seen from both sides.

    At distance `same` both start at the very same byte.
    """
    spans = [(b, s.start, s.stop, s.offset, s.bytes) for b, body in enumerate(bodies) for s in body.spans]
    table: Ints = np.array(spans, dtype=np.int64).reshape(-1, 5)
    table = table[(table[:, 1] < table[:, 2]) & (table[:, 4] > 0)]
    owner, start, stop, offset, size = table[np.argsort(table[:, 1], kind="stable")].T
    # Those that begin while one lives follow it, in order of their starts.
    following = np.searchsorted(start, stop) - np.arange(1, len(start) + 1)
    first = np.repeat(np.arange(len(start)), following)
    second = first + 1 + np.arange(len(first)) - np.repeat(np.cumsum(following) - following, following)
    first, second = np.concatenate((first, second)), np.concatenate((second, first))
    strangers = owner[first] != owner[second]
    first, second = first[strangers], second[strangers]
    same = offset[second] - offset[first]
    return owner[first], owner[second], same, same - size[first], same + size[second]


def _told_apart(
    own: Ints, other: Ints, same: Ints, low: Ints, high: Ints, leeways: Sequence[Leeway]
) -> tuple[Ints, Ints, Ints, Ints]:
    """(body, other, low, high) with what leeways allow taken out."""
    if not leeways:
        return own, other, low, high
    count = int(max(own.max(initial=0), *(max(x.read, x.written) for x in leeways))) + 1
    distance_of = {x.written * count + x.read: x.distance_bytes for x in leeways}
    keys: Ints = np.array(sorted(distance_of), dtype=np.int64)
    distances: Ints = np.array([distance_of[key] for key in sorted(distance_of)], dtype=np.int64)

    def looked_up(wanted: Ints) -> Ints:
        """Distances, -1 where there is no leeway."""
        at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        found: Ints = np.where(keys[at] == wanted, distances[at], -1)
        return found

    on, under = looked_up(own * count + other), looked_up(other * count + own)
    low = np.where(on > 0, np.maximum(low, same - on), low)
    high = np.where(under > 0, np.minimum(high, same + under), high)
    exactly = (on == 0) | (under == 0)  # below, above, or at the very same address
    above = own[exactly], other[exactly], same[exactly], high[exactly]
    high = np.where(exactly, same, high)
    own, other, low, high = (np.concatenate(x) for x in zip((own, other, low, high), above, strict=True))
    return own, other, low, high


def _united(own: Ints, other: Ints, low: Ints, high: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """Open intervals per pair of bodies, those that overlap as one: by body, other body and then ascending."""
    if not len(own):
        return own, other, low, high
    by_low = _sorted_by_pair(own, other, low)
    own, other, low, high = own[by_low], other[by_low], low[by_low], high[by_low]
    new_pair = (own[1:] != own[:-1]) | (other[1:] != other[:-1])
    apart = np.concatenate(([0], np.cumsum(new_pair))) * np.int64(high.max() - low.min() + 1)
    reach = np.maximum.accumulate(high + apart)
    first = np.concatenate(([True], low[1:] + apart[1:] >= reach[:-1]))
    last = np.concatenate((first[1:], [True]))
    return own[first], other[first], low[first], reach[last] - apart[last]


def _sorted_by_pair(first: Ints, second: Ints, then: Ints) -> npt.NDArray[np.intp]:
    """Indices in the order of (first, second, then); one key is sorted much faster than three."""
    if not len(first):
        return np.zeros(0, dtype=np.intp)
    least, bodies = then.min(), max(first.max(), second.max()) + 1
    return np.argsort((first * bodies + second) * (then.max() - least + 1) + (then - least), kind="stable")


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
