"""A part of an order problem as the arrays that its search in C reads (`native/orders.c`)."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain

import numpy as np
import numpy.typing as npt

from tflm_split.native.loops import pointer

WORD_BITS = 64
_NAMES = (
    "first_link", "links", "made", "first_make", "make_bytes", "makers", "first_free", "free_bytes", "free_over", "users",
    "first_head", "heads", "waits", "affected",
)  # fmt: skip

Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]


class _NativePart(ctypes.Structure):
    """`part` of orders.c."""

    _fields_ = [("tasks", ctypes.c_int64), ("words", ctypes.c_int64), *((name, ctypes.c_void_p) for name in _NAMES)]


class _NativeOutcome(ctypes.Structure):
    """`outcome` of orders.c."""

    _fields_ = [
        (name, ctypes.c_int64) for name in ("live", "peak", "live_sum", "states_left", "gave_up", "least_dropped")
    ]


@dataclass(frozen=True, slots=True)
class Explored:
    """`heads`: the chains of the best order, None if none was found. `bytes`: alive at its end, its peak, their sum."""

    heads: tuple[int, ...] | None
    bytes: tuple[int, int, int]
    states_left: int
    gave_up: bool
    least_peak_dropped: int


class PartArrays:
    """The tasks `members` of a part, numbered from 0 on. Sets of tasks are bits of integers, by the numbers they came with.

    `chains`, `heads`, `waits` and `affected` are by the first task of a chain. `makes` has (bytes, makers) of buffers that
    several tasks make, `frees` (bytes, bytes that may be written in place, users) of those that may die.
    """

    def __init__(
        self,
        *,
        members: Sequence[int],
        chains: Mapping[int, Sequence[int]],
        made: Mapping[int, int],
        makes: Mapping[int, Sequence[tuple[int, int]]],
        frees: Mapping[int, Sequence[tuple[int, int, int]]],
        heads: Mapping[int, Sequence[int]],
        waits: Mapping[int, int],
        affected: Mapping[int, int],
    ) -> None:
        self._members = members
        self._index = {k: n for n, k in enumerate(members)}
        self._words = max(1, -(-len(members) // WORD_BITS))
        index = self._index
        self.first_link, self.links = _lists([[index[t] for t in chains.get(k, ())] for k in members])
        self.made: Ints = np.array([made[k] for k in members], dtype=np.int64)
        made_together, dying = [makes[k] for k in members], [frees[k] for k in members]
        self.first_make, self.make_bytes = _lists([[size for size, _ in of_task] for of_task in made_together])
        self.makers = self._sets(who for of_task in made_together for _, who in of_task)
        self.first_free, self.free_bytes = _lists([[size for size, _, _ in of_task] for of_task in dying])
        self.free_over: Ints = np.array([over for of_task in dying for _, over, _ in of_task], dtype=np.int64)
        self.users = self._sets(who for of_task in dying for _, _, who in of_task)
        self.first_head, self.heads = _lists([[index[h] for h in heads.get(k, ())] for k in members])
        self.waits = self._sets(waits.get(k, 0) for k in members)
        self.affected = self._sets(affected.get(k, 0) for k in members)
        pointers = (getattr(self, name).ctypes.data for name in _NAMES)
        self._native = _NativePart(len(members), self._words, *pointers)

    def explore(
        self,
        library: ctypes.CDLL,
        ready: int,
        at_start: tuple[int, int, int],
        budget: int | None,
        beam: int | None,
        states_left: int,
        least_peak_dropped: int,
    ) -> Explored:
        """The dynamic programme, from the chains `ready` on. `at_start`: bytes alive, their peak and their sum."""
        outcome = _NativeOutcome(*at_start, states_left, 0, least_peak_dropped)
        first, order = self._sets([ready]), np.empty(len(self._members) + 1, dtype=np.int64)
        limits = (ctypes.c_int64(-1 if limit is None else limit) for limit in (budget, beam))
        length = library.tflm_split_explore(
            ctypes.byref(self._native), pointer(first), *limits, ctypes.byref(outcome), pointer(order)
        )
        if length < -1:
            raise MemoryError
        heads = tuple(self._members[k] for k in order[:length][::-1].tolist()) if length >= 0 else None
        at_end = (outcome.live, outcome.peak, outcome.live_sum)
        return Explored(heads, at_end, outcome.states_left, bool(outcome.gave_up), outcome.least_dropped)

    def _sets(self, sets: Iterable[int]) -> Words:
        """Each set in words, the lowest first, one after the other."""
        mask = (1 << WORD_BITS) - 1
        words: list[int] = []
        for members in sets:
            bits = 0
            while members:
                lowest = members & -members
                bits |= 1 << self._index[lowest.bit_length() - 1]
                members ^= lowest
            words += [bits >> WORD_BITS * w & mask for w in range(self._words)]
        return np.array(words, dtype=np.uint64)


def _lists(values: Sequence[Sequence[int]]) -> tuple[Ints, Ints]:
    """(Where each list begins, all lists one after the other)."""
    starts: Ints = np.array(list(accumulate(map(len, values), initial=0)), dtype=np.int64)
    return starts, np.array(list(chain.from_iterable(values)), dtype=np.int64)
