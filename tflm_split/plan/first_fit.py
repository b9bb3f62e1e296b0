"""First fit and best fit: places bodies one after the other, each where it is free for its whole lifetime.

The result depends on the order; `portfolio.py` tries several. `Distances` holds which relative addresses are forbidden
for each pair of bodies. Every placer works from these alone.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from tflm_split.errors import InputError
from tflm_split.native.loops import native, pointer
from tflm_split.plan.body_arrays import BodyArrays, Ints, NativePairs
from tflm_split.plan.problem import Body, Leeway

UNPLACED = np.iinfo(np.int64).min
_NAMES = ("body_bytes", "align", "pair_first", "pairs_table")
MOST_BYTES = 2**30
"""A body has fewer bytes. Numbers of a pair then fit into 32 bits: a problem can have millions of pairs."""

Table = npt.NDArray[np.int32]


class NativeProblem(ctypes.Structure):
    """`problem` of pairs.h."""

    _fields_ = [("bodies", ctypes.c_int64), *((name, ctypes.c_void_p) for name in _NAMES)]


class Distances:
    """Forbidden addresses, by pair of bodies whose lifetimes overlap.

    Body b's pairs are k in `pair_first[b] .. pair_first[b + 1] - 1`. Pair k forbids b every address strictly between
    `a + pair_low[k]` and `a + pair_high[k]`, where a is the address of the other body, `pair_body[k]`:

        address of b   ----allowed----)  forbidden  (----allowed---->
                              a + low                a + high

    Two bodies form several pairs if their forbidden interval has gaps. Each pair is listed for both bodies:
    `pair_twin[k]` is its entry in the other body's list.
    """

    def __init__(self, bodies: Sequence[Body], leeways: Sequence[Leeway] = (), use_native: bool = True) -> None:
        self.bodies = bodies
        self.body_bytes: Ints = np.array([b.bytes for b in bodies], dtype=np.int64)
        self.align: Ints = np.array([b.align for b in bodies], dtype=np.int64)
        library = native() if use_native else None
        if any(b.bytes >= MOST_BYTES for b in bodies):
            raise InputError(
                f"a body of {max(b.bytes for b in bodies):,} bytes cannot be placed: it must be below 1 GiB"
            )
        listed = _listed(bodies, leeways) if library is None else _listed_in_c(library, bodies, leeways)
        self.pair_first, self.pairs_table = listed
        self.pair_body, self.pair_low, self.pair_high, self.pair_twin = self.pairs_table.T
        arrays = [getattr(self, name) for name in _NAMES]
        self.native_problem = NativeProblem(len(bodies), *(array.ctypes.data for array in arrays))

    @property
    def pairs(self) -> int:
        return len(self.pairs_table)

    def place(
        self,
        order: Sequence[int],
        fixed: Mapping[int, int] | None = None,
        best_fit: bool = False,
        use_native: bool = False,
    ) -> list[int]:
        """Addresses of all bodies, placed in `order`.

        Bodies in `fixed` have their address already. The others go to the lowest gap that is large enough, or with
        `best_fit` to the smallest one.
        """
        addresses = np.full(len(self.bodies), UNPLACED, dtype=np.int64)
        for b, address in (fixed or {}).items():
            addresses[b] = address
        library = native() if use_native else None
        if library is not None:
            orders, placed_at = np.array(order, dtype=np.int64), np.empty_like(addresses)
            problem = ctypes.byref(self.native_problem)
            tight = ctypes.c_int64(best_fit)
            if library.tflm_split_place(problem, pointer(orders), pointer(addresses), tight, pointer(placed_at)) < 0:
                raise MemoryError
            return [int(a) for a in placed_at]
        at: list[int] = addresses.tolist()
        for b in order:
            if at[b] == UNPLACED:
                around = [(at[other], low, high) for other, low, high in self._pairs_of[b] if at[other] != UNPLACED]
                forbidden = [(a + low, a + high) for a, low, high in around if a + high > 0]
                at[b] = _lowest(forbidden, self.bodies[b].align, best_fit)
        return at

    @cached_property
    def _pairs_of(self) -> list[list[tuple[int, int, int]]]:
        """Per body (other body, low, high) of its pairs. A body has some tens of them, for which lists beat arrays."""
        columns = (self.pair_body.tolist(), self.pair_low.tolist(), self.pair_high.tolist())
        listed = list(zip(*columns, strict=True))
        return [listed[start:stop] for start, stop in pairwise(self.pair_first.tolist())]


def _listed_in_c(library: ctypes.CDLL, bodies: Sequence[Body], leeways: Sequence[Leeway]) -> tuple[Ints, Table]:
    """(`pair_first`; for each pair `pair_body`, `pair_low`, `pair_high`, `pair_twin`), listed by `pairs.c`."""
    arrays, pairs = BodyArrays(bodies, leeways), NativePairs()
    if library.tflm_split_list_pairs(ctypes.byref(arrays.native), ctypes.byref(pairs)) < 0:
        raise MemoryError
    try:
        first = np.ctypeslib.as_array(pairs.first, (len(bodies) + 1,)).copy()
        if not pairs.count:
            return first, np.zeros((0, 4), dtype=np.int32)
        return first, np.ctypeslib.as_array(pairs.pairs, (pairs.count, 4)).copy()
    finally:
        library.tflm_split_free_pairs(ctypes.byref(pairs))


def _listed(bodies: Sequence[Body], leeways: Sequence[Leeway]) -> tuple[Ints, Table]:
    """The same, listed by numpy."""
    own, other, low, high = _merged(*_with_leeways(*_overlapping_lifetimes(bodies), leeways))
    first: Ints = np.zeros(len(bodies) + 1, dtype=np.int64)
    np.cumsum(np.bincount(own, minlength=len(bodies)), out=first[1:])
    mirrored = _sorted_by_pair(other, own, -high)
    twin: Ints = np.empty(len(own), dtype=np.int64)
    twin[mirrored] = np.arange(len(own))
    return first, np.stack((other, low, high, twin), axis=1).astype(np.int32)


def _overlapping_lifetimes(bodies: Sequence[Body]) -> tuple[Ints, Ints, Ints, Ints, Ints]:
    """(body, other, same, low, high) for every two spans of different bodies whose lifetimes overlap, from both sides.

    The open interval (low, high) is forbidden for the difference of the two bodies' addresses. At difference `same`, both
    spans start at the same byte.
    """
    spans = [(b, s.start, s.stop, s.offset, s.bytes) for b, body in enumerate(bodies) for s in body.spans]
    table: Ints = np.array(spans, dtype=np.int64).reshape(-1, 5)
    table = table[(table[:, 1] < table[:, 2]) & (table[:, 4] > 0)]
    owner, start, stop, offset, size = table[np.argsort(table[:, 1], kind="stable")].T
    # In order of starts, the spans that begin during a span's lifetime are the ones right behind it.
    following = np.searchsorted(start, stop) - np.arange(1, len(start) + 1)
    first = np.repeat(np.arange(len(start)), following)
    second = first + 1 + np.arange(len(first)) - np.repeat(np.cumsum(following) - following, following)
    first, second = np.concatenate((first, second)), np.concatenate((second, first))
    strangers = owner[first] != owner[second]
    first, second = first[strangers], second[strangers]
    same = offset[second] - offset[first]
    return owner[first], owner[second], same, same - size[first], same + size[second]


def _with_leeways(
    own: Ints, other: Ints, same: Ints, low: Ints, high: Ints, leeways: Sequence[Leeway]
) -> tuple[Ints, Ints, Ints, Ints]:
    """(body, other, low, high): the forbidden intervals without what leeways allow."""
    if not leeways:
        return own, other, low, high
    count = int(max(own.max(initial=0), *(max(x.read, x.written) for x in leeways))) + 1
    distance_of = {x.written * count + x.read: x.distance_bytes for x in leeways}
    keys: Ints = np.array(sorted(distance_of), dtype=np.int64)
    distances: Ints = np.array([distance_of[key] for key in sorted(distance_of)], dtype=np.int64)

    def looked_up(wanted: Ints) -> Ints:
        """The leeway's distance, -1 where there is no leeway."""
        at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        distance: Ints = np.where(keys[at] == wanted, distances[at], -1)
        return distance

    on, under = looked_up(own * count + other), looked_up(other * count + own)
    low = np.where(on > 0, np.maximum(low, same - on), low)
    high = np.where(under > 0, np.minimum(high, same + under), high)
    # A distance of 0 allows one single address inside the interval, which is cut in two there.
    exactly = (on == 0) | (under == 0)
    above = own[exactly], other[exactly], same[exactly], high[exactly]
    high = np.where(exactly, same, high)
    own, other, low, high = (np.concatenate(x) for x in zip((own, other, low, high), above, strict=True))
    return own, other, low, high


def _merged(own: Ints, other: Ints, low: Ints, high: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """The open intervals of each pair of bodies, overlapping ones merged, sorted by (body, other body, low)."""
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
    """Indices that sort by (first, second, then). The three are packed into one key, which sorts much faster."""
    if not len(first):
        return np.zeros(0, dtype=np.intp)
    least, bodies = then.min(), max(first.max(), second.max()) + 1
    return np.argsort((first * bodies + second) * (then.max() - least + 1) + (then - least), kind="stable")


def _lowest(forbidden: list[tuple[int, int]], align: int, best_fit: bool) -> int:
    """The lowest aligned address outside all open intervals (low, high), or with `best_fit` that in the smallest hole."""
    end, chosen, least = 0, -1, 0
    for low, high in sorted(forbidden):
        hole = -(-end // align) * align
        if hole <= low:
            if not best_fit:
                return hole
            if chosen < 0 or low - hole < least:
                chosen, least = hole, low - hole
        end = max(end, high)
    return chosen if chosen >= 0 else -(-end // align) * align
