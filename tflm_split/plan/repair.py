"""Repair a placing order: what ends too high is placed earlier, again and again, and the best layout is kept.

`Repairer` runs the rounds in C (`repair.c`, in the package's host library) or, where that is missing, in Python: slower,
but the same rounds with the same dice, so a model's bytes never depend on which of the two ran.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tflm_split.plan.first_fit import FirstFit
from tflm_split.plan.problem import head_bytes

Ints = npt.NDArray[np.int64]
LIBRARY = Path(__file__).resolve().parents[1] / "_host" / "libtflm_split_host.so"
_UNPLACED = np.iinfo(np.int64).min
_MASK = (1 << 64) - 1


class _Problem(ctypes.Structure):
    _fields_ = [("bodies", ctypes.c_int64)]
    _fields_ += [
        (name, ctypes.c_void_p)
        for name in (
            "first", "offset", "body_bytes", "align", "pair_first", "pair_span", "pair_low", "pair_high",
            "rival_first", "rival", "fixed",
        )
    ]  # fmt: skip
    _fields_ += [("best_fit", ctypes.c_int64), ("bound_bytes", ctypes.c_int64)]


@cache
def native() -> ctypes.CDLL | None:
    """The host library, if it is there and has the repair loop."""
    try:
        library = ctypes.CDLL(str(LIBRARY))
        library.tflm_split_repair.restype = ctypes.c_int64
        library.tflm_split_place.restype = ctypes.c_int64
    except (OSError, AttributeError):
        return None
    return library


class Dice:
    """xorshift64*, the same sequence as in C."""

    def __init__(self, seed: int) -> None:
        self.state = (seed * 0x9E3779B97F4A7C15 + 1) & _MASK

    def roll(self) -> int:
        x = self.state
        x ^= x >> 12
        x ^= (x << 25) & _MASK
        x ^= x >> 27
        self.state = x
        return ((x * 2685821657736338717) & _MASK) >> 33


class Repairer:
    """Places and repairs orders of one problem's bodies."""

    def __init__(self, solver: FirstFit, bound_bytes: int, library: ctypes.CDLL | None) -> None:
        self.solver = solver
        self.bodies = solver.bodies
        self.bound_bytes = bound_bytes
        self.library = library
        self.rivals = [sorted(solver.rivals(b)) for b in range(len(self.bodies))]
        self.pairs = sum(map(len, self.rivals))
        if library is not None:
            pairs = [solver.neighbours(b) for b in range(len(self.bodies))]
            self._arrays: dict[str, Ints] = {
                "first": solver.first,
                "offset": solver.offset,
                "body_bytes": np.array([b.bytes for b in self.bodies], dtype=np.int64),
                "align": np.array([b.align for b in self.bodies], dtype=np.int64),
                "pair_first": _starts([len(t) for t, _, _ in pairs]),
                "pair_span": _joined([t for t, _, _ in pairs]),
                "pair_low": _joined([low for _, low, _ in pairs]),
                "pair_high": _joined([high for _, _, high in pairs]),
                "rival_first": _starts([len(r) for r in self.rivals]),
                "rival": _joined([np.array(r, dtype=np.int64) for r in self.rivals]),
            }

    def placed(self, order: Sequence[int], fixed: Mapping[int, int], best_fit: bool) -> list[int]:
        """Addresses when placed in `order`."""
        if self.library is None:
            return self.solver.place(order, fixed, best_fit)
        addresses = np.zeros(len(self.bodies), dtype=np.int64)
        problem, keep = self._problem(fixed, best_fit)
        orders = np.array(order, dtype=np.int64)
        if self.library.tflm_split_place(ctypes.byref(problem), _pointer(orders), _pointer(addresses)) < 0:
            raise MemoryError
        del keep
        return [int(a) for a in addresses]

    def repaired(
        self,
        order: Sequence[int],
        addresses: Sequence[int],
        fixed: Mapping[int, int],
        best_fit: bool,
        rounds: int,
        seed: int,
    ) -> list[int]:
        """The addresses of least head met in `rounds` repairs of `order`, which has led to `addresses`."""
        if self.library is None:
            return self._repaired_in_python(order, addresses, fixed, best_fit, rounds, seed)
        best = np.array(addresses, dtype=np.int64)
        problem, keep = self._problem(fixed, best_fit)
        orders = np.array(order, dtype=np.int64)
        head = self.library.tflm_split_repair(
            ctypes.byref(problem), _pointer(orders), ctypes.c_int64(rounds), ctypes.c_uint64(seed), _pointer(best)
        )
        if head < 0:
            raise MemoryError
        del keep
        return [int(a) for a in best]

    def _problem(self, fixed: Mapping[int, int], best_fit: bool) -> tuple[_Problem, dict[str, Ints]]:
        where = np.full(len(self.bodies), _UNPLACED, dtype=np.int64)
        for b, address in fixed.items():
            where[b] = address
        arrays = self._arrays | {"fixed": where}
        problem = _Problem(bodies=len(self.bodies), best_fit=int(best_fit), bound_bytes=self.bound_bytes)
        for name, array in arrays.items():
            setattr(problem, name, array.ctypes.data)
        return problem, arrays

    def rank(self, addresses: Sequence[int]) -> tuple[int, int]:
        """(head, bytes above the bound summed over bodies); smaller is better."""
        excess = sum(max(0, a + b.bytes - self.bound_bytes) for a, b in zip(addresses, self.bodies, strict=True))
        return head_bytes(self.bodies, addresses), excess

    def _repaired_in_python(
        self,
        order: Sequence[int],
        addresses: Sequence[int],
        fixed: Mapping[int, int],
        best_fit: bool,
        rounds: int,
        seed: int,
    ) -> list[int]:
        dice = Dice(seed)
        now_order, now = list(order), list(addresses)
        now_rank = self.rank(now)
        best, best_rank = now, now_rank
        for _ in range(rounds):
            if best_rank[0] <= self.bound_bytes:
                break
            limit = now_rank[0] - 1 if dice.roll() % 10 < 7 else self.bound_bytes
            culprits = [b for b, a in enumerate(now) if a + self.bodies[b].bytes > limit and b not in fixed]
            if not culprits:
                break
            culprit = culprits[dice.roll() % len(culprits)]
            position = {b: i for i, b in enumerate(now_order)}
            earlier = [position[r] for r in self.rivals[culprit] if position[r] < position[culprit] and r not in fixed]
            trial = list(now_order)
            changed = len(trial)
            if earlier:
                changed = earlier[dice.roll() % len(earlier)]
                trial.insert(changed, trial.pop(position[culprit]))
            if not earlier or dice.roll() % 10 < 3:
                taken, put = dice.roll() % len(trial), dice.roll() % len(trial)
                trial.insert(put, trial.pop(taken))
                changed = min(changed, taken, put)
            then = self.solver.place(trial, fixed, best_fit, (changed, now))
            then_rank = self.rank(then)
            if then_rank <= now_rank or dice.roll() % 50 == 0:
                now_order, now, now_rank = trial, then, then_rank
            if now_rank <= best_rank:
                best, best_rank = now, now_rank
        return best


def _pointer(array: Ints) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def _starts(counts: Sequence[int]) -> Ints:
    return np.concatenate(([0], np.cumsum(counts, dtype=np.int64))).astype(np.int64)


def _joined(parts: Sequence[Ints]) -> Ints:
    return np.concatenate([*parts, np.zeros(0, dtype=np.int64)]).astype(np.int64)
