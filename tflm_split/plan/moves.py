"""Can these bodies be placed below this height if some of them are moved at run time?

Fixed addresses can leave memory fragmented: enough bytes are free, but not in one gap. A move is a copy that closes the
gap. With moves the head can go down as far as the bytes alive in the worst step.

    address      fixed addresses: D does not fit           B is moved before step 4: D fits
       ^
    48 |   +------------------------ height                +------------------------ height
       |                                                   |           +-----------+
    32 |   +-----------------------+                       +-----------+           |
       |   |           B           |                       |     B     |     D     |
    16 |   +-----------+-----------+                       +-----------+-----------+
       |   |     A     |                                   |     A     |     B     |
     0 |   +-----------+------------                       +-----------+-----------+
       +---+-----------+-----------+----                   +-----------+-----------+----> step
           0           4           8                       0           4           8

The lifetime of the model is cut into epochs. Each epoch begins with moves that make room (`make_room.py`), and in it no
body moves. Squeezing (`squeeze.py`) finds addresses for what is born in the epoch, which is made as long as possible. Of
several ways to begin an epoch, the one that moves the fewest bytes per step of the epoch is taken.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tflm_split.native.loops import native, pointer
from tflm_split.plan.body_arrays import BodyArrays, Ints
from tflm_split.plan.first_fit import UNPLACED, Distances
from tflm_split.plan.make_room import Occupant, Room, rooms
from tflm_split.plan.problem import Body, Layout, Leeway, Move, Span, head_bytes, live_bytes_by_step, unit_bytes
from tflm_split.plan.progress import Tick, no_tick
from tflm_split.plan.squeeze import squeeze

EXTENSION_STEPS = 16
"""An epoch is extended by this many steps at a time, and by half as many after each failure."""
EXTEND_ROUNDS, BEGIN_ROUNDS = 8, 100
"""How often one try may look at every pair of bodies: to extend an epoch, and to begin one."""
BASE_VISITS = 5_000
"""Pairs of bodies that every try may look at on top of its rounds."""
VISITS_PER_BODY, VISITS_PER_PAIR = 10, 2
"""The price of setting up a try, in visits: per body of the whole problem, and per pair of bodies in the try."""
FOLLOWED_ROOMS = 3
"""How many ways to make room for the first newcomer are followed up, the fewest bytes moved first."""

SpanKey = tuple[int, int]
"""A body and the number of one of its spans: what a move moves."""
_Newcomer = tuple[int, int, int | None]
"""A body, its bytes, and its address if that is decided already."""
_EpochPlan = tuple[int, dict[int, int], list[Move]]
"""An epoch: the step it ends at, the addresses of the bodies born in it, and the moves at its beginning."""


@dataclass(frozen=True, slots=True)
class MoveTerms:
    """Which bodies may be moved, and what that may cost.

    All spans of a `movable` body are born in the same step. From then on each may be moved on its own, by multiples of
    `align_bytes`. A layout may take `most_instructions`: those of the copies, and those of leeways it uses. Each move
    makes the program longer by `flash_bytes_per_move`.
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
    """Searches for a layout with moves that ends at `height_bytes` or below: (this, or None; visits left).

    The search starts from the addresses of `start`. A leeway is used at a distance that costs no instructions, except in
    steps where the live bytes would then exceed the height. If the layout still costs too much, a second try uses
    leeways only in steps that exceed the height without. `visits` as in `squeeze`. Same arguments, same layout.
    """
    live_bytes = live_bytes_by_step(bodies, unit_bytes(bodies))
    cheap = [x for x in (_freed_if_possible(x, bodies, live_bytes, height_bytes) for x in leeways) if x]
    needed = [x for x in cheap if live_bytes[bodies[x.written].start] > height_bytes]
    ways = [(pinned, used) for pinned in _pins(bodies, terms.movable, height_bytes) for used in (cheap, needed)]
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


def _freed_if_possible(
    x: Leeway, bodies: Sequence[Body], live_bytes: npt.NDArray[np.int64], height_bytes: int
) -> Leeway | None:
    """`x` at the distance where it costs no instructions; None if the bodies share no byte there.

    In a step that would then exceed the height, it is `x` itself. `live_bytes` are those of each step if nothing is shared.
    """
    read, written = bodies[x.read], bodies[x.written]
    shared = max(0, min(written.bytes - x.free_from_bytes, read.bytes))
    return x if live_bytes[written.start] - shared > height_bytes else x.freed(bodies)


def _pins(bodies: Sequence[Body], movable: AbstractSet[int], height_bytes: int) -> Iterator[Mapping[int, int]]:
    """What to pin: first, at the top as in `portfolio.py`, the largest tensor alive at the start, and all that never moves.

    Something that can neither be moved nor dies would divide the memory anywhere else. Then nothing.
    """
    horizon = max(body.stop for body in bodies)
    initial = [b for b, body in enumerate(bodies) if body.start == 0 and len(body.spans) > 1]
    on_top = [b for b, body in enumerate(bodies) if body.start == 0 and body.stop == horizon and b not in movable]
    if initial:
        on_top.append(max(initial, key=lambda b: bodies[b].bytes))
    pinned: dict[int, int] = {}
    below = height_bytes
    for b in dict.fromkeys(on_top):
        below = pinned[b] = (below - bodies[b].bytes) // bodies[b].align * bodies[b].align
    if pinned and below >= 0:
        yield pinned
    yield {}


@dataclass(frozen=True, slots=True)
class _EpochProblem:
    """An epoch as a placement problem of its own.

    Its first bodies are the ones `born` in the epoch. Those behind them stand for what already has an address; they
    cannot be placed anywhere else.
    """

    born: tuple[int, ...]
    distances: Distances
    first: tuple[int, ...]
    """The addresses that squeezing starts from."""


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
        """The bodies born in each step."""
        for b, body in enumerate(bodies):
            self.births[body.start].append(b)
        self.home: dict[int, int] = {}
        """The address of each body at its birth."""
        self.at: dict[SpanKey, int] = {}
        """The current address of each span of a movable body."""
        library = native() if use_native else None
        self.in_c = (
            None if library is None else _SolveInC(library, bodies, leeways, terms, hints, self.horizon, height_bytes)
        )
        for fixed, address in pinned.items():
            self._put(fixed, address)

    def run(self) -> tuple[Move, ...] | None:
        """All moves, in the order in which they are carried out; None if there is no layout. Addresses are in `home`."""
        moves: list[Move] = []
        now = 0
        while now < self.horizon:
            epoch = self._begin(now)
            if epoch is None:
                return None
            stop, addresses, first_moves = epoch
            self.at.update({(m.body, m.span): m.address for m in first_moves})
            for body, address in addresses.items():
                self._put(body, address)
            self.instructions += self._instructions(addresses, first_moves)
            self.at = {key: address for key, address in self.at.items() if self._span(key).stop > stop}
            moves += first_moves
            if self.instructions > self.terms.most_instructions:
                return None
            now = stop
        return tuple(moves)

    def _instructions(self, born: Iterable[int], moves: Sequence[Move]) -> float:
        """Instructions of `moves`, and of the leeways that bodies of `born` use."""
        copied_bytes = sum(self._span((m.body, m.span)).bytes for m in moves)
        total = self.terms.instructions_per_move * len(moves) + self.terms.instructions_per_byte * copied_bytes
        for b in born:
            for x in self.read_by.get(b, ()):
                low, read_low = self.home[b], self.at.get((x.read, 0), self.home[x.read])
                end = low + min(self.bodies[b].bytes, x.free_from_bytes)
                if low < read_low + self.bodies[x.read].bytes and read_low < end:
                    total += x.instructions
                    break
        return total

    def _begin(self, now: int) -> _EpochPlan | None:
        """The epoch that begins now. If no moves that make room for each newcomer will do, all occupants are compacted."""
        return self._cheapest(now, self._moves_for(now)) or self._cheapest(now, self._compaction(now))

    def _cheapest(self, now: int, ways: Iterable[list[Move]]) -> _EpochPlan | None:
        """The epoch that moves the fewest bytes per step, of those that begin with one of `ways`."""
        best: tuple[float, _EpochPlan] | None = None
        before = dict(self.at)
        for moves in ways:
            self.at.update({(m.body, m.span): m.address for m in moves})
            addresses = self._solve(now, now + 1, {}, BEGIN_ROUNDS)
            if addresses is not None:
                stop, addresses = self._extended(now, addresses)
                cost = sum(self._span((m.body, m.span)).bytes for m in moves) / (stop - now)
                if best is None or cost < best[0]:
                    best = cost, (stop, addresses, moves)
            self.at = dict(before)
            if best and not best[0]:
                break
        return best and best[1]

    def _moves_for(self, now: int) -> Iterator[list[Move]]:
        """Lists of moves that make room for all bodies born now; the first list is empty.

        Several ways are tried for the first newcomer. The others take the one that moves the fewest bytes.
        """
        yield []
        occupants, newcomers = self._memory(now)
        if not now or not newcomers:
            return
        for first_room in self._rooms(newcomers[0], occupants, FOLLOWED_ROOMS):
            here, moves = dict(occupants), list[Move]()
            for k, newcomer in enumerate(newcomers):
                best_rooms = self._rooms(newcomer, here, 1) if k else [first_room]
                if not best_rooms:
                    return
                for key, to in best_rooms[0].moves:
                    here[key] = replace(here[key], low=to)
                    moves.append(Move(now, *key, to))
                b, size, _ = newcomer
                here[b, -1 - k] = Occupant((b, -1 - k), best_rooms[0].address, size, True)
            if len({(m.body, m.span) for m in moves}) == len(moves):
                yield moves

    def _compaction(self, now: int) -> Iterator[list[Move]]:
        """Moves every occupant down until it touches the one below. If all can be moved, the free bytes are one gap then."""
        occupants, newcomers = self._memory(now)
        moves: list[Move] = []
        end = 0
        for o in sorted(occupants.values(), key=lambda o: o.low):
            to = o.low if o.is_fixed or o.low < end else end + (o.low - end) % self.terms.align_bytes
            if to != o.low:
                moves.append(Move(now, *o.key, to))
            end = max(end, to + o.bytes)
        if newcomers and moves:
            yield moves

    def _rooms(self, newcomer: _Newcomer, here: Mapping[SpanKey, Occupant], most: int) -> list[Room]:
        b, size, at = newcomer
        may_lie_on = {(x.read, 0): x.distance_bytes for x in self.read_by.get(b, ())}
        return rooms(
            list(here.values()), size, may_lie_on, self.height_bytes, self.terms.align_bytes, at, most, self.use_native
        )

    def _memory(self, now: int) -> tuple[dict[SpanKey, Occupant], list[_Newcomer]]:
        """(what is alive, what is born now: those with a decided address first, then the largest first)."""
        here: dict[SpanKey, Occupant] = {}
        newcomers: list[_Newcomer] = []
        for span, key, at in self._placed():
            if span.start < now < span.stop:
                here[key] = Occupant(key, at, span.bytes, key not in self.at)
            elif span.start == now:
                newcomers.append((key[0], span.bytes, at))
        newcomers += [(b, self.bodies[b].bytes, None) for b in self.births[now] if b not in self.home]
        return here, sorted(newcomers, key=lambda n: (n[2] is None, -n[1], n[0]))

    def _collides(self, start: int, stop: int) -> bool:
        """Whether a span that is born in [start, stop), at an address already decided, overlaps one that can be moved."""
        movable = [(self._span(key), at) for key, at in self.at.items() if self._span(key).stop > start]
        for born, key, low in self._placed():
            if key in self.at or not start <= born.start < stop:
                continue
            for span, at in movable:
                if span.stop > born.start and at < low + born.bytes and low < at + span.bytes:
                    return True
        return False

    def _extended(self, start: int, addresses: dict[int, int]) -> tuple[int, dict[int, int]]:
        """The epoch from `start` on, extended for as long as addresses are found without a move: (its end, addresses)."""
        stop, stride = start + 1, EXTENSION_STEPS
        while stop < self.horizon and stride:
            further = min(stop + stride, self.horizon)
            longer = self._solve(start, further, addresses, EXTEND_ROUNDS)
            if longer is None:
                stride //= 2
            else:
                stop, addresses = further, longer
        return stop, addresses

    def _put(self, body: int, address: int) -> None:
        self.home[body] = address
        if body in self.terms.movable:
            self.at.update({(body, s): address + span.offset for s, span in enumerate(self.bodies[body].spans)})

    def _span(self, key: SpanKey) -> Span:
        return self.bodies[key[0]].spans[key[1]]

    def _solve(self, start: int, stop: int, near: Mapping[int, int], rounds: int) -> dict[int, int] | None:
        """Addresses of the bodies born in [start, stop), or None. Squeezing starts from the addresses `near`."""
        self.tick()
        self.visits -= len(self.bodies) * VISITS_PER_BODY
        if self.visits <= 0:
            return None
        if self.in_c is not None:
            found, self.visits = self.in_c.solve(start, stop, self.home, self.at, near, rounds, self.visits)
            return found
        if self._collides(start, stop):
            return None
        epoch = self._epoch(start, stop, near)
        self.visits -= epoch.distances.pairs * VISITS_PER_PAIR
        granted = min(self.visits, rounds * epoch.distances.pairs + BASE_VISITS)
        if granted <= 0 or any(body.bytes > self.height_bytes for body in epoch.distances.bodies):
            return None
        addresses, left = squeeze(epoch.distances, epoch.first, self.height_bytes, granted, 0, False, self.tick)
        self.visits -= granted - left
        return None if addresses is None else dict(zip(epoch.born, addresses, strict=False))

    def _epoch(self, start: int, stop: int, near: Mapping[int, int]) -> _EpochProblem:
        """The problem of the epoch [start, stop).

        A movable body counts until `stop` only, since it may be moved then. Bodies that cannot be moved must fit together
        for their whole lifetimes.
        """
        born = sorted(b for step in range(start, stop) for b in self.births[step] if b not in self.home)
        bodies = [_clipped(self.bodies[b], start, self._end(b, stop)) for b in born]
        index = {b: k for k, b in enumerate(born)}
        known = [x for b in born for x in self.read_by.get(b, ())]
        lain_on = {x.read for x in known}
        placed_spans: list[Span] = []
        for span, (b, _), address in self._placed():
            end = self._end(b, stop)
            if span.start < end and span.stop > start:
                placed = Span(max(span.start, start), min(span.stop, end), address, span.bytes)
                if b in lain_on:
                    index[b] = len(bodies)
                    bodies.append(self._immobile([placed], stop))
                else:
                    placed_spans.append(placed)
        if placed_spans:
            bodies.append(self._immobile(placed_spans, stop))
        first = [near.get(b, self.hints[b]) for b in born] + [0] * (len(bodies) - len(born))
        leeways = [Leeway(index[x.read], index[x.written], x.distance_bytes) for x in known if x.read in index]
        return _EpochProblem(tuple(born), Distances(bodies, leeways, use_native=False), tuple(first))

    def _end(self, body: int, stop: int) -> int:
        return stop if body in self.terms.movable else self.horizon

    def _placed(self) -> Iterator[tuple[Span, SpanKey, int]]:
        """(span, its key, its address) of every span that has an address: those that can be moved first, then by body."""
        for key, at in sorted(self.at.items()):
            yield self._span(key), key, at
        for b, home in sorted(self.home.items()):
            if b not in self.terms.movable:
                for s, span in enumerate(self.bodies[b].spans):
                    yield span, (b, s), home + span.offset

    def _immobile(self, spans: Sequence[Span], stop: int) -> Body:
        """A body of spans whose offsets are addresses. It is as large as the height, so its only address is 0."""
        return Body((*spans, Span(stop, stop, self.height_bytes - 1, 1)), 1)


class _NativeMemory(ctypes.Structure):
    """`memory` of epochs.c."""

    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("all", "movable", "home", "at")),
        *((name, ctypes.c_int64) for name in ("horizon", "height", "base_visits", "visits_per_pair")),
    ]


class _SolveInC:
    """`_Epochs._solve` in C."""

    def __init__(
        self,
        library: ctypes.CDLL,
        bodies: Sequence[Body],
        leeways: Sequence[Leeway],
        terms: MoveTerms,
        hints: Sequence[int],
        horizon: int,
        height_bytes: int,
    ) -> None:
        self.library, self.arrays = library, BodyArrays(bodies, leeways)
        self.hints: Ints = np.array(hints, dtype=np.int64)
        self.movable = np.zeros(len(bodies), dtype=np.uint8)
        self.movable[[b for b in terms.movable if b < len(bodies)]] = 1
        self.first_span = self.arrays.first_span.tolist()
        self.born, self.found = np.empty_like(self.hints), np.empty_like(self.hints)
        self.home, self.at = np.empty_like(self.hints), np.empty_like(self.arrays.start)
        columns = (ctypes.addressof(self.arrays.native), *(a.ctypes.data for a in (self.movable, self.home, self.at)))
        self.memory = _NativeMemory(*columns, horizon, height_bytes, BASE_VISITS, VISITS_PER_PAIR)

    def solve(
        self,
        start: int,
        stop: int,
        home: Mapping[int, int],
        at: Mapping[SpanKey, int],
        near: Mapping[int, int],
        rounds: int,
        visits: int,
    ) -> tuple[dict[int, int] | None, int]:
        """(Addresses of the bodies born in [start, stop), or None; visits left)."""
        self.home.fill(UNPLACED)
        self.home[list(home)] = list(home.values())
        self.at.fill(UNPLACED)
        self.at[[self.first_span[b] + s for b, s in at]] = list(at.values())
        hints = self.hints.copy()
        hints[list(near)] = list(near.values())
        left = ctypes.c_int64(visits)
        count = self.library.tflm_split_solve_epoch(
            ctypes.byref(self.memory), ctypes.c_int64(start), ctypes.c_int64(stop), pointer(hints),
            ctypes.c_int64(rounds), ctypes.byref(left), pointer(self.born), pointer(self.found),
        )  # fmt: skip
        if count < -1:
            raise MemoryError
        if count < 0:
            return None, left.value
        return dict(zip(self.born[:count].tolist(), self.found[:count].tolist(), strict=True)), left.value


def _clipped(body: Body, start: int, stop: int) -> Body:
    """The body's lifetime cut to [start, stop). Its size stays the same."""
    spans = [Span(max(s.start, start), min(s.stop, stop), s.offset, s.bytes) for s in body.spans if s.start < stop]
    return Body((*spans, Span(stop, stop, body.bytes - 1, 1)), body.align)
