"""Squeezing: can these bodies be placed below this height? A guided local search over addresses.

All bodies lie below the height from the start, but some overlap: they are in conflict. The search repeats:

1. Pick a body in conflict, at random.
2. Compute the cost of every candidate address: per conflict, weight x (depth of the overlap + half of its greatest
   possible depth). The cost is linear between the ends of forbidden intervals, so these ends are candidates enough.
3. If an address is cheaper, the body goes there.
4. Otherwise its conflicts gain weight. Sometimes the body moves all the same, to leave a local minimum.

This is guided local search as used for cutting and packing (Egeblad, Nielsen and Odgaard, 2007; Umetani et al., 2009).

The loop is written twice: in C (`squeeze.c`, in the package's host library) and in Python, for installations without
the library. Both make the same moves with the same random numbers, so a model's bytes never depend on which one ran.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from tflm_split.native.loops import native, pointer
from tflm_split.plan.body_arrays import Ints
from tflm_split.plan.first_fit import Distances
from tflm_split.plan.progress import Tick, no_tick

WORSE_MOVES = 64
"""One in this many bodies without a cheaper address moves all the same. Otherwise two bodies could never swap places."""
VISITS_AT_ONCE = 1_000_000
"""Visits between two ticks, which makes several ticks a second. The search itself does not depend on this number."""
_MASK = (1 << 64) - 1


class Dice:
    """Random numbers: xorshift64*, the same sequence as in C."""

    def __init__(self, seed: int) -> None:
        self.state = (seed * 0x9E3779B97F4A7C15 + 1) & _MASK

    def roll(self) -> int:
        x = self.state
        x ^= x >> 12
        x ^= (x << 25) & _MASK
        x ^= x >> 27
        self.state = x
        return ((x * 2685821657736338717) & _MASK) >> 33


def squeeze(
    distances: Distances,
    addresses: Sequence[int],
    head_bytes: int,
    visits: int,
    seed: int,
    use_native: bool = True,
    tick: Tick = no_tick,
) -> tuple[list[int] | None, int]:
    """Searches from `addresses` for ones that end at `head_bytes` or below: (these, or None; visits left).

    `visits` limits how many pairs of bodies are looked at. `tick` is called every `VISITS_AT_ONCE`. No body may be larger
    than `head_bytes`.
    """
    library = native() if use_native else None
    if library is None:
        search = _Search(distances, addresses, head_bytes, visits, seed)
        return search.run(tick), search.visits
    problem = ctypes.byref(distances.native_problem)
    at, dice = np.array(addresses, dtype=np.int64), ctypes.c_uint64(Dice(seed).state)
    block: Ints = np.empty(library.tflm_split_squeeze_room(problem, ctypes.c_int64(head_bytes)), dtype=np.int64)
    listed = -1
    while listed and (visits > 0 or listed < 0):
        tick()
        granted = min(visits, VISITS_AT_ONCE)
        left = ctypes.c_int64(granted)
        listed = library.tflm_split_squeeze(
            problem, ctypes.c_int64(head_bytes), ctypes.byref(dice), ctypes.byref(left), pointer(at), pointer(block),
            ctypes.c_int64(listed),
        )  # fmt: skip
        visits -= granted - left.value
    return (None if listed else [int(a) for a in at]), visits


class _Search:
    """The loop of `squeeze.c`, step by step the same. Bodies have few pairs each, for which plain lists beat arrays."""

    def __init__(self, distances: Distances, addresses: Sequence[int], head_bytes: int, visits: int, seed: int) -> None:
        self.dice = Dice(seed)
        self.visits = visits
        self.align: list[int] = distances.align.tolist()
        self.top: list[int] = ((head_bytes - distances.body_bytes) // distances.align * distances.align).tolist()
        self.at = [min(int(address), top) for address, top in zip(addresses, self.top, strict=True)]
        self.twin: list[int] = distances.pair_twin.tolist()
        self.weight = [1] * distances.pairs
        columns = (distances.pair_body.tolist(), distances.pair_low.tolist(), distances.pair_high.tolist())
        listed = list(zip(range(distances.pairs), *columns, strict=True))
        first = distances.pair_first.tolist()
        self.pairs = [listed[start:stop] for start, stop in pairwise(first)]
        """Per body, its pairs: (number, other body, low, high)."""
        self.conflicts = [len(self._in_conflict(b, address)) for b, address in enumerate(self.at)]
        self.listed: list[int] = []
        self.position: dict[int, int] = {}
        for b in range(len(self.conflicts)):
            self._list_or_unlist(b)

    def run(self, tick: Tick) -> list[int] | None:
        while self.listed and self.visits > 0:
            tick()
            b = self.listed[self.dice.roll() % len(self.listed)]
            here = self.at[b]
            self.visits -= len(self.pairs[b])
            to, cheaper = self._cheapest(b, here)
            if cheaper:
                self._move(b, to)
                continue
            for k in self._in_conflict(b, here):
                self.weight[k] += 1
                self.weight[self.twin[k]] += 1
            if self.dice.roll() % WORSE_MOVES == 0:
                self._move(b, to)
        return None if self.listed else self.at

    def _in_conflict(self, b: int, address: int) -> list[int]:
        """The pairs of body b that would overlap if it lay at `address`."""
        at = self.at
        return [k for k, other, low, high in self.pairs[b] if low < address - at[other] < high]

    def _list_or_unlist(self, b: int) -> None:
        if self.conflicts[b] and b not in self.position:
            self.position[b] = len(self.listed)
            self.listed.append(b)
        elif not self.conflicts[b] and b in self.position:
            last = self.listed.pop()
            position = self.position.pop(b)
            if last != b:
                self.listed[position] = last
                self.position[last] = position

    def _cheapest(self, b: int, here: int) -> tuple[int, bool]:
        """The cheapest address other than `here` (ties are broken at random), and whether it is cheaper than `here`."""
        tried, changes = self._candidates(b, here)
        least = cost_here = constant = slope = done = 0
        ties: list[int] = []
        for address in tried:
            while done < len(changes) and changes[done][0] <= address:
                constant += changes[done][1]
                slope += changes[done][2]
                done += 1
            cost = constant + slope * address
            if address == here:
                cost_here = cost
            elif not ties or cost < least:
                least, ties = cost, [address]
            elif cost == least:
                ties.append(address)
        if not ties:
            return here, False
        return ties[self.dice.roll() % len(ties)], least < cost_here

    def _candidates(self, b: int, here: int) -> tuple[list[int], list[tuple[int, int, int]]]:
        """Addresses of body b where the cost can be least, and how it changes: (from which address, constant, slope)."""
        at, weight, top, align = self.at, self.weight, self.top[b], self.align[b]
        tried = {0, top, here}
        changes: list[tuple[int, int, int]] = []
        for k, other, low, high in self.pairs[b]:
            low, high, by = low + at[other], high + at[other], weight[k]
            if low >= top or high <= 0:
                continue
            if low > 0:
                tried.update((low - low % align, low + -low % align))
            if high < top:
                tried.update((high - high % align, high + -high % align))
            half = (high - low) // 2
            changes += (
                (low + 1, by * (half - low), by),
                ((low + high) // 2 + 1, by * (low + high), -2 * by),
                (high, -by * (half + high), by),
            )
        changes.sort()
        return sorted(tried), changes

    def _move(self, b: int, to: int) -> None:
        at, here = self.at, self.at[b]
        for _, other, low, high in self.pairs[b]:
            change = (low < to - at[other] < high) - (low < here - at[other] < high)
            if change:
                self.conflicts[b] += change
                self.conflicts[other] += change
                self._list_or_unlist(other)
        self.at[b] = to
        self._list_or_unlist(b)
