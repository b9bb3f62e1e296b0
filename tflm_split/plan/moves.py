"""Can these bodies lie below this height if some of them are moved on the way?

A row whose place is in the way of the next is copied to where it is not: then even what no fixed addresses allow becomes
possible, down to the bytes alive in the worst step. The time is cut into epochs. In each, squeezing (`squeeze.py`) finds
addresses that hold as long as possible for what is alive and what is born; where it cannot go on, a new epoch begins
with moves that make room (`make_room.py`): of several ways, that which moves fewest bytes for the length of its epoch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tflm_split.plan.first_fit import Distances
from tflm_split.plan.make_room import Occupant, Room, rooms
from tflm_split.plan.problem import Body, Layout, Leeway, Move, Span, head_bytes, live_bytes_by_step, unit_bytes
from tflm_split.plan.progress import Tick, no_tick
from tflm_split.plan.squeeze import squeeze

STRIDE = 16
"""Steps by which an epoch is prolonged; half as many after each failure."""
ROUNDS, MORE_ROUNDS = 8, 100
"""How often a try may look at every pair of bodies: to prolong an epoch, and to begin one."""
FEW_VISITS = 5_000
"""The least that a try may look at."""
VISITS_PER_BODY, VISITS_PER_PAIR = 10, 2
"""What it takes to set up a try, in visits: for each body of the whole problem, and each pair of its own."""
CHOICES = 3
"""Ways to make room that are followed up, from the one that moves fewest bytes on."""

Item = tuple[int, int]
"""A body and one of its spans: what is moved."""
_Newcomer = tuple[int, int, int | None]
"""A body, its bytes and, where that is decided, its address."""
_Begun = tuple[int, dict[int, int], list[Move]]
"""An epoch: its end, the addresses of what is born in it, and the moves before it."""


@dataclass(frozen=True, slots=True)
class MoveTerms:
    """What may be moved, and what a layout with moves may cost in instructions: copies, and use that is made of leeways.

    All spans of a `movable` body begin at once; from then on each may be moved on its own, by multiples of `align_bytes`.
    Each move takes `flash_bytes_per_move` of the program.
    """

    movable: AbstractSet[int]
    most_instructions: float
    instructions_per_move: float
    instructions_per_byte: float
    align_bytes: int
    flash_bytes_per_move: int


def with_moves(
    bodies: Sequence[Body],
    leeways: Sequence[Leeway],
    terms: MoveTerms,
    start: Layout,
    height_bytes: int,
    visits: int,
    use_native: bool = True,
    tick: Tick = no_tick,
) -> tuple[Layout | None, int]:
    """(a layout that ends at `height_bytes` or below on these terms, or None; visits that are left).

    Addresses of `start` are tried first. Leeways are used at a distance that costs nothing unless the step is too crowded
    for that; if they still cost too much, only in steps that are too crowded without. `visits` as in `squeeze`. Same
    arguments, same layout.
    """
    crowd = live_bytes_by_step(bodies, unit_bytes(bodies))
    cheap = [x for x in (_freed(x, bodies, crowd, height_bytes) for x in leeways) if x]
    needed = [x for x in cheap if crowd[bodies[x.written].start] > height_bytes]
    ways = [(pinned, used) for pinned in _pins(bodies, height_bytes) for used in (cheap, needed)]
    for pinned, used in ways:
        epochs = _Epochs(bodies, used, terms, start.addresses, pinned, height_bytes, visits, use_native, tick)
        moves = epochs.run()
        visits = epochs.visits
        if moves is not None:
            break
    else:
        return None, visits
    addresses = tuple(epochs.home[b] for b in range(len(bodies)))
    top = max([head_bytes(bodies, addresses), *(m.address + bodies[m.body].spans[m.span].bytes for m in moves)])
    return replace(start, addresses=addresses, head_bytes=top, moves=moves), visits


def _freed(x: Leeway, bodies: Sequence[Body], crowd: npt.NDArray[np.int64], height_bytes: int) -> Leeway | None:
    """`x` at the distance at which it costs nothing, None if nothing is shared there; `x` where that is too far.

    `crowd`: bytes alive in each step when nothing is shared.
    """
    read, written = bodies[x.read], bodies[x.written]
    shared = max(0, min(written.bytes - x.free_from_bytes, read.bytes))
    return x if crowd[written.start] - shared > height_bytes else x.freed(bodies)


def _pins(bodies: Sequence[Body], height_bytes: int) -> Iterator[Mapping[int, int]]:
    """The largest tensor that is there from the start at the top, as the portfolio does; then nothing pinned."""
    initial = [b for b, body in enumerate(bodies) if body.start == 0 and len(body.spans) > 1]
    if initial:
        largest = max(initial, key=lambda b: bodies[b].bytes)
        yield {largest: (height_bytes - bodies[largest].bytes) // bodies[largest].align * bodies[largest].align}
    yield {}


@dataclass(frozen=True, slots=True)
class _Epoch:
    """What is born in an epoch, as a problem of its own; the bodies after those stand for what stays where it is."""

    born: tuple[int, ...]
    distances: Distances
    first: tuple[int, ...]
    """Addresses to begin with."""


class _Epochs:
    def __init__(
        self,
        bodies: Sequence[Body],
        leeways: Sequence[Leeway],
        terms: MoveTerms,
        hints: Sequence[int],
        pinned: Mapping[int, int],
        height_bytes: int,
        visits: int,
        use_native: bool,
        tick: Tick,
    ) -> None:
        self.bodies, self.leeways, self.terms = bodies, leeways, terms
        self.hints, self.instructions = hints, 0.0
        self.read_by: dict[int, list[Leeway]] = {}
        for leeway in leeways:
            self.read_by.setdefault(leeway.written, []).append(leeway)
        self.height_bytes, self.visits, self.use_native = height_bytes, visits, use_native
        self.tick = tick
        self.horizon = max(b.stop for b in self.bodies)
        self.births: list[list[int]] = [[] for _ in range(self.horizon + 1)]
        """By step: who is born."""
        for b, body in enumerate(bodies):
            self.births[body.start].append(b)
        self.home: dict[int, int] = {}
        """Where a body is at its birth."""
        self.at: dict[Item, int] = {}
        """Where a movable body's spans are now."""
        for fixed, address in pinned.items():
            self._put(fixed, address)

    def run(self) -> tuple[Move, ...] | None:
        """Moves in the order in which they are carried out, or None."""
        moves: list[Move] = []
        now = 0
        while now < self.horizon:
            begun = self._begin(now)
            if begun is None:
                return None
            stop, found, before = begun
            self.at.update({(m.body, m.span): m.address for m in before})
            for body, address in found.items():
                self._put(body, address)
            self.instructions += self._instructions(found, before)
            self.at = {item: address for item, address in self.at.items() if self._span(item).stop > stop}
            moves += before
            if self.instructions > self.terms.most_instructions:
                return None
            now = stop
        return tuple(moves)

    def _instructions(self, born: Iterable[int], moves: Sequence[Move]) -> float:
        """Instructions for `moves`, and for those of `born` that lie on what their step reads."""
        copied_bytes = sum(self._span((m.body, m.span)).bytes for m in moves)
        found = self.terms.instructions_per_move * len(moves) + self.terms.instructions_per_byte * copied_bytes
        for b in born:
            for x in self.read_by.get(b, ()):
                low, read_low = self.home[b], self.at.get((x.read, 0), self.home[x.read])
                end = low + min(self.bodies[b].bytes, x.free_from_bytes)
                if low < read_low + self.bodies[x.read].bytes and read_low < end:
                    found += x.instructions
                    break
        return found

    def _begin(self, now: int) -> _Begun | None:
        """The epoch that begins now: with moves that make room for each newcomer, or else with all the room in one place."""
        return self._cheapest(now, self._moves_for(now)) or self._cheapest(now, self._ranks_closed(now))

    def _cheapest(self, now: int, ways: Iterable[list[Move]]) -> _Begun | None:
        """The epoch that moves the fewest bytes for its length, of those that begin with one of `ways`."""
        best: tuple[float, _Begun] | None = None
        before = dict(self.at)
        for moves in ways:
            self.at.update({(m.body, m.span): m.address for m in moves})
            found = self._solve(now, now + 1, {}, MORE_ROUNDS)
            if found is not None:
                stop, found = self._prolonged(now, found)
                cost = sum(self._span((m.body, m.span)).bytes for m in moves) / (stop - now)
                if best is None or cost < best[0]:
                    best = cost, (stop, found, moves)
            self.at = dict(before)
            if best and not best[0]:
                break
        return best and best[1]

    def _moves_for(self, now: int) -> Iterator[list[Move]]:
        """Moves that make room for all that is born now: the first newcomer has the choice, the others take the best."""
        yield []
        occupants, newcomers = self._memory(now)
        if not now or not newcomers:
            return
        for choice in self._rooms(newcomers[0], occupants)[:CHOICES]:
            here, moves = dict(occupants), list[Move]()
            for k, newcomer in enumerate(newcomers):
                found = self._rooms(newcomer, here)[:1] if k else [choice]
                if not found:
                    return
                for key, to in found[0].moves:
                    here[key] = replace(here[key], low=to)
                    moves.append(Move(now, *key, to))
                b, size, _ = newcomer
                here[b, -1 - k] = Occupant((b, -1 - k), found[0].address, size, True)
            if len({(m.body, m.span) for m in moves}) == len(moves):
                yield moves

    def _ranks_closed(self, now: int) -> Iterator[list[Move]]:
        """Moves of all that can be moved down to what lies below it. No room is lost in gaps then, if all can be moved."""
        occupants, newcomers = self._memory(now)
        moves: list[Move] = []
        end = 0
        for o in sorted(occupants.values(), key=lambda o: o.low):
            to = o.low if o.stays or o.low < end else end + (o.low - end) % self.terms.align_bytes
            if to != o.low:
                moves.append(Move(now, *o.key, to))
            end = max(end, to + o.bytes)
        if newcomers and moves:
            yield moves

    def _rooms(self, newcomer: _Newcomer, here: Mapping[Item, Occupant]) -> list[Room]:
        b, size, at = newcomer
        on = {(x.read, 0): x.distance_bytes for x in self.read_by.get(b, ())}
        return rooms(list(here.values()), size, on, self.height_bytes, self.terms.align_bytes, at)

    def _memory(self, now: int) -> tuple[dict[Item, Occupant], list[_Newcomer]]:
        """(what lives, what is born), the largest of each first."""
        here: dict[Item, Occupant] = {}
        newcomers: list[_Newcomer] = []
        for span, item, at in self._staying():
            if span.start < now < span.stop:
                here[item] = Occupant(item, at, span.bytes, item not in self.at)
            elif span.start == now:
                newcomers.append((item[0], span.bytes, at))
        newcomers += [(b, self.bodies[b].bytes, None) for b in self.births[now] if b not in self.home]
        return here, sorted(newcomers, key=lambda n: (n[2] is None, -n[1], n[0]))

    def _collides(self, start: int, stop: int) -> bool:
        """Whether what is born in [start, stop) at an address decided before comes upon something that would have to go."""
        items = [(self._span(item), at) for item, at in self.at.items() if self._span(item).stop > start]
        for born, item, low in self._staying():
            if item in self.at or not start <= born.start < stop:
                continue
            for span, at in items:
                if span.stop > born.start and at < low + born.bytes and low < at + span.bytes:
                    return True
        return False

    def _prolonged(self, start: int, found: dict[int, int]) -> tuple[int, dict[int, int]]:
        """The epoch from `start` on for as long as nothing has to be moved."""
        stop, stride = start + 1, STRIDE
        while stop < self.horizon and stride:
            further = min(stop + stride, self.horizon)
            longer = self._solve(start, further, found, ROUNDS)
            if longer is None:
                stride //= 2
            else:
                stop, found = further, longer
        return stop, found

    def _put(self, body: int, address: int) -> None:
        self.home[body] = address
        if body in self.terms.movable:
            self.at.update({(body, s): address + span.offset for s, span in enumerate(self.bodies[body].spans)})

    def _span(self, item: Item) -> Span:
        return self.bodies[item[0]].spans[item[1]]

    def _solve(self, start: int, stop: int, near: Mapping[int, int], rounds: int) -> dict[int, int] | None:
        """Addresses of what is born in [start, stop) among what lives already; `near` are those to begin with."""
        self.tick()
        self.visits -= len(self.bodies) * VISITS_PER_BODY
        if self.visits <= 0 or self._collides(start, stop):
            return None
        epoch = self._epoch(start, stop, near)
        self.visits -= epoch.distances.pairs * VISITS_PER_PAIR
        granted = min(self.visits, rounds * epoch.distances.pairs + FEW_VISITS)
        if granted <= 0 or any(body.bytes > self.height_bytes for body in epoch.distances.bodies):
            return None
        addresses, left = squeeze(
            epoch.distances, epoch.first, self.height_bytes, granted, 0, self.use_native, self.tick
        )
        self.visits -= granted - left
        return None if addresses is None else dict(zip(epoch.born, addresses, strict=False))

    def _epoch(self, start: int, stop: int, near: Mapping[int, int]) -> _Epoch:
        """What cannot be moved must get on with its like for all of its life, everything else until `stop`."""
        born = sorted(b for step in range(start, stop) for b in self.births[step] if b not in self.home)
        bodies = [_clipped(self.bodies[b], start, self._end(b, stop)) for b in born]
        index = {b: k for k, b in enumerate(born)}
        known = [x for b in born for x in self.read_by.get(b, ())]
        lain_on = {x.read for x in known}
        stays: list[Span] = []
        for span, (b, _), address in self._staying():
            end = self._end(b, stop)
            if span.start < end and span.stop > start:
                placed = Span(max(span.start, start), min(span.stop, end), address, span.bytes)
                if b in lain_on:
                    index[b] = len(bodies)
                    bodies.append(self._immobile([placed], stop))
                else:
                    stays.append(placed)
        if stays:
            bodies.append(self._immobile(stays, stop))
        first = [near.get(b, self.hints[b]) for b in born] + [0] * (len(bodies) - len(born))
        leeways = [Leeway(index[x.read], index[x.written], x.distance_bytes) for x in known if x.read in index]
        return _Epoch(tuple(born), Distances(bodies, leeways), tuple(first))

    def _end(self, body: int, stop: int) -> int:
        return stop if body in self.terms.movable else self.horizon

    def _staying(self) -> Iterator[tuple[Span, Item, int]]:
        """(span, which, its address) of what has an address."""
        for item, at in self.at.items():
            yield self._span(item), item, at
        for b, home in self.home.items():
            if b not in self.terms.movable:
                for s, span in enumerate(self.bodies[b].spans):
                    yield span, (b, s), home + span.offset

    def _immobile(self, spans: Sequence[Span], stop: int) -> Body:
        """A body as high as all there is: it can only lie at 0."""
        return Body((*spans, Span(stop, stop, self.height_bytes - 1, 1)), 1)


def _clipped(body: Body, start: int, stop: int) -> Body:
    """The body as far as it lives in [start, stop), as large as ever."""
    spans = [Span(max(s.start, start), min(s.stop, stop), s.offset, s.bytes) for s in body.spans if s.start < stop]
    return Body((*spans, Span(stop, stop, body.bytes - 1, 1)), body.align)
