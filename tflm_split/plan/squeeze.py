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
    """The loop of `squeeze.c`, step by step the same."""

    def __init__(self, distances: Distances, addresses: Sequence[int], head_bytes: int, visits: int, seed: int) -> None:
        self.distances = distances
        self.dice = Dice(seed)
        self.visits = visits
        self.top: Ints = (head_bytes - distances.body_bytes) // distances.align * distances.align
        self.at: Ints = np.minimum(np.array(addresses, dtype=np.int64), self.top)
        self.weight: Ints = np.ones(distances.pairs, dtype=np.int64)
        self.conflicts = [int(self._in_conflict(b, int(a)).sum()) for b, a in enumerate(self.at)]
        self.listed: list[int] = []
        self.position: dict[int, int] = {}
        for b in range(len(self.conflicts)):
            self._list_or_unlist(b)

    def run(self, tick: Tick) -> list[int] | None:
        while self.listed and self.visits > 0:
            tick()
            b = self.listed[self.dice.roll() % len(self.listed)]
            here = int(self.at[b])
            self.visits -= int(self.distances.pair_first[b + 1] - self.distances.pair_first[b])
            to, cheaper = self._cheapest(b, here)
            if cheaper:
                self._move(b, to)
                continue
            conflicts = np.flatnonzero(self._in_conflict(b, here)) + self.distances.pair_first[b]
            self.weight[conflicts] += 1
            self.weight[self.distances.pair_twin[conflicts]] += 1
            if self.dice.roll() % WORSE_MOVES == 0:
                self._move(b, to)
        return None if self.listed else [int(a) for a in self.at]

    def _in_conflict(self, b: int, address: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        others, low, high = self.distances.of(b)
        where = address - self.at[others]
        return (low < where) & (where < high)

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
        others, low, high = self.distances.of(b)
        mine = slice(int(self.distances.pair_first[b]), int(self.distances.pair_first[b + 1]))
        top, align = int(self.top[b]), int(self.distances.align[b])
        low, high = low + self.at[others], high + self.at[others]
        ends = np.concatenate((low, high))
        ends = ends[(ends > 0) & (ends < top)]
        tried = np.unique(np.concatenate(([0, top, here], ends // align * align, -(-ends // align) * align)))
        depth = np.minimum(tried[:, None] - low, high - tried[:, None])
        costs = (np.where(depth > 0, depth + (high - low) // 2, 0) * self.weight[mine]).sum(axis=1)
        elsewhere = tried != here
        if not elsewhere.any():
            return here, False
        least = costs[elsewhere].min()
        ties = tried[elsewhere & (costs == least)]
        return int(ties[self.dice.roll() % len(ties)]), bool(least < costs[~elsewhere][0])

    def _move(self, b: int, to: int) -> None:
        others, _, _ = self.distances.of(b)
        change = self._in_conflict(b, to).astype(np.int64) - self._in_conflict(b, int(self.at[b]))
        for other, by in zip(others.tolist(), change.tolist(), strict=True):
            self.conflicts[b] += by
            self.conflicts[other] += by
            self._list_or_unlist(other)
        self.at[b] = to
        self._list_or_unlist(b)
