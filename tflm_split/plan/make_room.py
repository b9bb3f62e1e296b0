"""How can the occupants of memory make room for a newcomer, with few bytes moved?

There are two ways. In the charts addresses grow to the right up to the height, and N is the newcomer.

    before      [ A ]     [  B  ]       |         *Slide*: N goes between two neighbours. Those on both sides move
    after       [ A ][    N    ][  B  ] |         apart as far as needed. Their order does not change.

    before      [ A ][ B ]   [  C  ]    |         *Step aside*: a few occupants in the way go to gaps elsewhere.
    after       [ A ][   N  ][  C  ][ B ]

The moves of both can be carried out one by one, in the order given. No copy overwrites bytes that are still needed.
"""

from __future__ import annotations

import ctypes
from bisect import insort
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf

import numpy as np

from tflm_split.native.loops import native, pointer
from tflm_split.plan.first_fit import UNPLACED

MAX_SLIDING_NEIGHBOURS = 8
"""At most this many neighbours on either side are packed close together when a slide's addresses are listed."""
MAX_STEPPING_ASIDE = 4
"""At most this many occupants may step aside for one newcomer."""


SpanKey = tuple[int, int]
"""A body and the number of one of its spans."""


@dataclass(frozen=True, slots=True)
class Occupant:
    """Bytes [low, low + bytes) are taken by `key`. An occupant that `is_fixed` cannot be moved."""

    key: SpanKey
    low: int
    bytes: int
    is_fixed: bool
    high: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "high", self.low + self.bytes)


@dataclass(frozen=True, slots=True)
class Room:
    """Room for the newcomer at `address`, once `moves` (key, new address) are carried out in this order.

    They copy `moved_bytes` in all.
    """

    moved_bytes: int
    address: int
    moves: tuple[tuple[SpanKey, int], ...]


def rooms(
    occupants: Sequence[Occupant],
    newcomer_bytes: int,
    may_lie_on: Mapping[SpanKey, int],
    height_bytes: int,
    align: int,
    at: int | None = None,
    most: int | None = None,
    use_native: bool = True,
) -> list[Room]:
    """Ways to make room for a newcomer of `newcomer_bytes`, the fewest bytes moved first; only the first `most` if given.

    `may_lie_on`: occupants that the newcomer may overlap, each with the distance of its `Leeway`. Occupants move by
    multiples of `align`. The newcomer goes to `at` if that is given, otherwise to a multiple of `align`.
    """
    here = sorted(occupants, key=lambda o: (o.low, o.key))
    search = _Search(here, newcomer_bytes, may_lie_on, height_bytes, align, at)
    if most is not None and use_native and (library := native()) is not None:
        return _rooms_in_c(library, search, most)
    by_moves: dict[tuple[tuple[SpanKey, int], ...], Room] = {}
    moved: list[int] = []
    for ways in (search.slides, search.asides):
        for room in ways():
            if room.moves not in by_moves:
                insort(moved, room.moved_bytes)
                if most is not None and len(moved) >= most:
                    search.most_bytes = moved[most - 1]  # a way that moves more bytes is none of the first
            by_moves[room.moves] = room
    return sorted(by_moves.values(), key=lambda room: (room.moved_bytes, room.address, room.moves))[:most]


class _NativeOccupants(ctypes.Structure):
    """`occupants` of rooms.c."""

    _fields_ = [
        ("count", ctypes.c_int64),
        *((name, ctypes.c_void_p) for name in ("low", "high", "body", "span", "lie_on", "is_fixed")),
        *((name, ctypes.c_int64) for name in ("bytes", "height", "align", "at")),
    ]


def _rooms_in_c(library: ctypes.CDLL, search: _Search, most: int) -> list[Room]:
    """The same in C."""
    here = search.here
    count = len(here)
    rows = [(o.low, o.high, *o.key, search.may_lie_on.get(o.key, -1)) for o in here]
    columns = np.array(rows, dtype=np.int64).reshape(count, 5).T.copy()
    fixed = np.array([o.is_fixed for o in here], dtype=np.uint8)
    where = UNPLACED if search.at is None else search.at
    arrays = (*(column.ctypes.data for column in columns), fixed.ctypes.data)
    memory = _NativeOccupants(count, *arrays, search.bytes, search.height_bytes, search.align, where)
    address, end = np.empty((2, most), dtype=np.int64)
    who, to = np.empty((2, most * count + 1), dtype=np.int64)
    outputs = map(pointer, (address, end, who, to))
    found = library.tflm_split_rooms(ctypes.byref(memory), ctypes.c_int64(most), *outputs)
    if found < 0:
        raise MemoryError
    made, begin = [], 0
    for place, stop in zip(address[:found].tolist(), end[:found].tolist(), strict=True):
        moving = [here[k] for k in who[begin:stop].tolist()]
        moves = tuple((o.key, low) for o, low in zip(moving, to[begin:stop].tolist(), strict=True))
        made.append(Room(sum(o.bytes for o in moving), place, moves))
        begin = stop
    return made


@dataclass(slots=True)
class _Search:
    """What is asked: `here` in the order of addresses, `bytes` of the newcomer."""

    here: Sequence[Occupant]
    bytes: int
    may_lie_on: Mapping[SpanKey, int]
    height_bytes: int
    align: int
    at: int | None
    most_bytes: int | float = inf
    """Ways that move more bytes than this are left out."""

    def slides(self) -> Iterator[Room]:
        for k in range(len(self.here) + 1):
            for address in sorted(self._between(k)) if self.at is None else (self.at,):
                room = self._slide(k, address)
                if room is not None:
                    yield room

    def _between(self, k: int) -> set[int]:
        """Addresses worth trying for a newcomer between occupants k - 1 and k.

        One is right above k - 1 where it is now. Each further one is right above it once some of those below have
        moved down until they touch. The same holds for k and those above it.
        """
        candidates: set[int] = set()
        packed_bytes = 0
        for j in range(k, max(-1, k - MAX_SLIDING_NEIGHBOURS - 1), -1):
            if j < k:
                if self.here[j].is_fixed:
                    break
                packed_bytes += self._up(self.here[j].bytes)
            candidates.add(self._up(self.here[j - 1].high if j else 0) + packed_bytes)
        below = [self.bytes]
        if k < len(self.here) and self.may_lie_on.get(self.here[k].key):
            below.append(self.may_lie_on[self.here[k].key])
        packed_bytes = 0
        for j in range(k, min(len(self.here), k + MAX_SLIDING_NEIGHBOURS) + 1):
            limit = self.here[j].low if j < len(self.here) else self.height_bytes
            candidates.update(self._down(limit - packed_bytes - needed) for needed in below)
            if j == len(self.here) or self.here[j].is_fixed:
                break
            packed_bytes += self._up(self.here[j].bytes)
        return {address for address in candidates if 0 <= address <= self.height_bytes - self.bytes}

    def _slide(self, k: int, address: int) -> Room | None:
        """Puts the newcomer at `address` between k - 1 and k. Occupants in the way go down or up as far as they must."""
        down: list[tuple[SpanKey, int]] = []
        moved_bytes, limit = 0, address
        for o in reversed(self.here[:k]):
            if o.high <= limit:
                break
            to = o.low - self._up(o.high - limit)
            if o.is_fixed or to < 0:
                return None
            down.append((o.key, to))
            moved_bytes += o.bytes
            if moved_bytes > self.most_bytes:
                return None
            limit = to
        up: list[tuple[SpanKey, int]] = []
        end, free = address + self.bytes, 0
        for o in self.here[k:]:
            if o.low >= max(end, free):
                break
            least = max(end, free)
            if o.key in self.may_lie_on:
                distance = self.may_lie_on[o.key]
                if distance:
                    least = max(address + distance, free)
                elif o.low == address and free <= address:
                    free = o.high
                    continue
            to = o.low + self._up(max(0, least - o.low))
            if to != o.low:
                if o.is_fixed:
                    return None
                up.append((o.key, to))
                moved_bytes += o.bytes
                if moved_bytes > self.most_bytes:
                    return None
            free = to + o.bytes
        if max(end, free) > self.height_bytes:
            return None
        return Room(moved_bytes, address, (*reversed(down), *reversed(up)))

    def asides(self) -> Iterator[Room]:
        ends = {0, self._down(self.height_bytes - self.bytes)}
        for o in self.here:
            ends |= {self._up(o.high), self._down(o.low - self.bytes), self._down(o.low)}
            if o.key in self.may_lie_on:
                ends.add(self._down(o.low - self.may_lie_on[o.key]))
        for address in sorted(ends) if self.at is None else (self.at,):
            if 0 <= address <= self.height_bytes - self.bytes:
                room = self._step_aside(address)
                if room is not None:
                    yield room

    def _step_aside(self, address: int) -> Room | None:
        """Puts the newcomer at `address`. Occupants in the way go to the tightest gap elsewhere, the largest first."""
        end = address + self.bytes
        in_the_way = [o for o in self.here if o.low < end and address < o.high and not self._may_share(o, address)]
        moved_bytes = sum([o.bytes for o in in_the_way])
        too_many = len(in_the_way) > MAX_STEPPING_ASIDE or moved_bytes > self.most_bytes
        if too_many or any(o.is_fixed for o in in_the_way):
            return None
        taken = sorted([(o.low, o.high) for o in self.here] + [(address, end)])
        gaps: list[tuple[int, int]] = []
        free = 0
        for low, high in [*taken, (self.height_bytes, self.height_bytes)]:
            if low > free:
                gaps.append((free, low))
            free = max(free, high)
        moves = []
        for o in sorted(in_the_way, key=lambda o: (-o.bytes, o.key)):
            fitting = [(high - low, low, high) for low, high in gaps if self._congruent(low, o.low) + o.bytes <= high]
            if not fitting:
                return None
            _, low, high = min(fitting)
            to = self._congruent(low, o.low)
            moves.append((o.key, to))
            gaps.remove((low, high))
            gaps.append((to + o.bytes, high))
        return Room(moved_bytes, address, tuple(moves))

    def _may_share(self, o: Occupant, address: int) -> bool:
        distance = self.may_lie_on.get(o.key)
        return distance is not None and (address <= o.low - distance if distance else address == o.low)

    def _congruent(self, low: int, like: int) -> int:
        """The lowest address from `low` on whose distance from `like` is a multiple of `align`."""
        return low + (like - low) % self.align

    def _up(self, value: int) -> int:
        return -(-value // self.align) * self.align

    def _down(self, value: int) -> int:
        return value // self.align * self.align
