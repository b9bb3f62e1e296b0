"""How can what lies in memory make room for one more, at the cost of few bytes moved?

Two ways. *Slide*: the newcomer goes between two neighbours, and those on both sides move apart as far as needed, each
past nobody. *Step aside*: a few that are in the way go to gaps elsewhere. Either can be carried out one by one in the
order given, with copies that overwrite nothing that is still needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

NEIGHBOURS = 8
"""How many to either side may close ranks."""
MOST_ASIDE = 4
"""How many may step aside at once."""


@dataclass(frozen=True, slots=True)
class Occupant:
    """Bytes [low, low + bytes) are taken by `key`; those that `stay` cannot be moved."""

    key: tuple[int, int]
    low: int
    bytes: int
    stays: bool

    @property
    def high(self) -> int:
        return self.low + self.bytes


@dataclass(frozen=True, slots=True)
class Room:
    """The newcomer goes to `address` after `moves` (key, to), in this order, of `moved_bytes` in all."""

    moved_bytes: int
    address: int
    moves: tuple[tuple[tuple[int, int], int], ...]


def rooms(
    occupants: Sequence[Occupant],
    newcomer_bytes: int,
    may_lie_on: Mapping[tuple[int, int], int],
    height_bytes: int,
    align: int,
    at: int | None = None,
) -> list[Room]:
    """All rooms found for a newcomer, fewest bytes moved first; `may_lie_on` as in `Leeway`: by key, the distance.

    Moves go by multiples of `align`. The newcomer's address is one of these, or `at`, if that is given.
    """
    here = sorted(occupants, key=lambda o: (o.low, o.key))
    search = _Search(here, newcomer_bytes, may_lie_on, height_bytes, align, at)
    found = {room.moves: room for make in (search.slides, search.aside) for room in make()}
    return sorted(found.values(), key=lambda room: (room.moved_bytes, room.address, room.moves))


class _Search:
    def __init__(
        self,
        here: Sequence[Occupant],
        newcomer_bytes: int,
        may_lie_on: Mapping[tuple[int, int], int],
        height_bytes: int,
        align: int,
        at: int | None,
    ) -> None:
        self.here, self.bytes, self.may_lie_on = here, newcomer_bytes, may_lie_on
        self.height_bytes, self.align, self.at = height_bytes, align, at

    def slides(self) -> Iterator[Room]:
        for k in range(len(self.here) + 1):
            for address in sorted(self._between(k)) if self.at is None else (self.at,):
                room = self._slide(k, address)
                if room is not None:
                    yield room

    def _between(self, k: int) -> set[int]:
        """Addresses worth trying between neighbours k - 1 and k: where some on one side close ranks, or none moves."""
        found: set[int] = set()
        ranks = 0
        for j in range(k, max(-1, k - NEIGHBOURS - 1), -1):
            if j < k:
                if self.here[j].stays:
                    break
                ranks += self._up(self.here[j].bytes)
            found.add(self._up(self.here[j - 1].high if j else 0) + ranks)
        below = [self.bytes]
        if k < len(self.here) and self.may_lie_on.get(self.here[k].key):
            below.append(self.may_lie_on[self.here[k].key])
        ranks = 0
        for j in range(k, min(len(self.here), k + NEIGHBOURS) + 1):
            limit = self.here[j].low if j < len(self.here) else self.height_bytes
            found.update(self._down(limit - ranks - needed) for needed in below)
            if j == len(self.here) or self.here[j].stays:
                break
            ranks += self._up(self.here[j].bytes)
        return {address for address in found if 0 <= address <= self.height_bytes - self.bytes}

    def _slide(self, k: int, address: int) -> Room | None:
        """The newcomer at `address` between k - 1 and k; those in the way go down or up as far as they must."""
        down: list[tuple[tuple[int, int], int]] = []
        moved_bytes, limit = 0, address
        for o in reversed(self.here[:k]):
            if o.high <= limit:
                break
            to = o.low - self._up(o.high - limit)
            if o.stays or to < 0:
                return None
            down.append((o.key, to))
            moved_bytes += o.bytes
            limit = to
        up: list[tuple[tuple[int, int], int]] = []
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
                if o.stays:
                    return None
                up.append((o.key, to))
                moved_bytes += o.bytes
            free = to + o.bytes
        if max(end, free) > self.height_bytes:
            return None
        return Room(moved_bytes, address, (*reversed(down), *reversed(up)))

    def aside(self) -> Iterator[Room]:
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
        """The newcomer at `address`; who is in the way goes to the tightest gap elsewhere, the largest first."""
        end = address + self.bytes
        hit = [o for o in self.here if o.low < end and address < o.high and not self._may_share(o, address)]
        if len(hit) > MOST_ASIDE or any(o.stays for o in hit):
            return None
        taken = sorted([(o.low, o.high) for o in self.here] + [(address, end)])
        gaps: list[tuple[int, int]] = []
        free = 0
        for low, high in [*taken, (self.height_bytes, self.height_bytes)]:
            if low > free:
                gaps.append((free, low))
            free = max(free, high)
        moves = []
        for o in sorted(hit, key=lambda o: (-o.bytes, o.key)):
            fitting = [(high - low, low, high) for low, high in gaps if self._congruent(low, o.low) + o.bytes <= high]
            if not fitting:
                return None
            _, low, high = min(fitting)
            to = self._congruent(low, o.low)
            moves.append((o.key, to))
            gaps.remove((low, high))
            gaps.append((to + o.bytes, high))
        return Room(sum(o.bytes for o in hit), address, tuple(moves))

    def _may_share(self, o: Occupant, address: int) -> bool:
        distance = self.may_lie_on.get(o.key)
        return distance is not None and (address <= o.low - distance if distance else address == o.low)

    def _congruent(self, low: int, like: int) -> int:
        """The lowest address from `low` on that is a multiple of `align` away from `like`."""
        return low + (like - low) % self.align

    def _up(self, value: int) -> int:
        return -(-value // self.align) * self.align

    def _down(self, value: int) -> int:
        return value // self.align * self.align
