"""Which bodies go to the slow memory, so that the others fit the fast one and steps touch the slow one least?

    minimise    traffic of the bodies in the slow memory
    so that     in each step, bytes alive in the fast memory <= fast_bytes, and in the slow one <= slow_bytes

This is a packing problem of many dimensions, and hard. `spill` is greedy by traffic per byte that it helps, and then improves
what it has found: bodies come back where there is room, and one comes back for others that cost less together. Bodies that are
pinned stay fast. Whether there are addresses for all, `two_memories.py` finds out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np

from tflm_split.plan.loads import FAST, SLOW, Loads
from tflm_split.plan.problem import Body, Leeway

MOST_EXCHANGES = 400
"""So many bodies at most are tried to be exchanged for cheaper ones."""


@dataclass(frozen=True, slots=True)
class SpillProblem:
    """Bodies, what steps read and write of each (`traffic`, in bytes), and those that must lie in the fast memory."""

    bodies: Sequence[Body]
    leeways: Sequence[Leeway]
    traffic: Sequence[int]
    pinned: AbstractSet[int] = frozenset()

    def traffic_of(self, slow: AbstractSet[int]) -> int:
        """Bytes that go to or from the slow memory if these bodies lie there."""
        return sum(self.traffic[b] for b in slow)


def spill(problem: SpillProblem, fast_bytes: int, slow_bytes: int) -> frozenset[int] | None:
    """The bodies for the slow memory; None where none are found that fit both."""
    loads = Loads(problem.bodies, problem.leeways)
    if not _relieve(problem, loads, fast_bytes, slow_bytes, frozenset()):
        return None
    _take_back(problem, loads, fast_bytes)
    _exchange(problem, loads, fast_bytes, slow_bytes)
    return loads.slow()


def _relieve(
    problem: SpillProblem, loads: Loads, fast_bytes: int, slow_bytes: int, stays: AbstractSet[int]
) -> list[int] | None:
    """Spills bodies until the others fit the fast memory, those first that cost least per byte which they help.

    What they are, in their order; None, and nothing changed, where that cannot be done without the bodies in `stays`.
    """
    done: list[int] = []
    hopeless: set[int] = set(stays | problem.pinned)
    while True:
        over = np.maximum(loads.live[FAST] - fast_bytes, 0)
        worst = int(over.argmax())
        if over[worst] == 0:
            return done
        for body in _by_price(problem, loads, over, worst, hopeless):
            loads.move(body, SLOW)
            if loads.peak(body, SLOW) <= slow_bytes:
                done.append(body)
                break
            loads.move(body, FAST)
            hopeless.add(body)
        else:
            for body in done:
                loads.move(body, FAST)
            return None


def _by_price(
    problem: SpillProblem,
    loads: Loads,
    over: np.ndarray[tuple[int], np.dtype[np.int64]],
    step: int,
    hopeless: AbstractSet[int],
) -> Iterator[int]:
    """The fast bodies that live in a step, cheapest first: by traffic per byte and step in which too much is alive."""
    prices = []
    for b, body in enumerate(problem.bodies):
        if loads.memory[b] == SLOW or b in hopeless or not body.start <= step < body.stop:
            continue
        helps = sum(int(np.minimum(over[s.start : s.stop], s.bytes).sum()) for s in body.spans)
        if helps:
            prices.append((problem.traffic[b] / helps, b))
    return (b for _, b in sorted(prices))


def _take_back(problem: SpillProblem, loads: Loads, fast_bytes: int) -> bool:
    """Brings back to the fast memory what fits there, the most traffic first. Whether anything did."""
    came = False
    for body in sorted(loads.slow(), key=lambda b: (-problem.traffic[b], b)):
        loads.move(body, FAST)
        if loads.peak(body, FAST) <= fast_bytes:
            came = True
        else:
            loads.move(body, SLOW)
    return came


def _exchange(problem: SpillProblem, loads: Loads, fast_bytes: int, slow_bytes: int) -> None:
    """Brings back one body for others that cost less together, as long as there are such."""
    tried = 0
    improved = True
    while improved and tried < MOST_EXCHANGES:
        improved = False
        for body in sorted(loads.slow(), key=lambda b: (-problem.traffic[b], b)):
            tried += 1
            before = loads.slow()
            loads.move(body, FAST)
            spilled = _relieve(problem, loads, fast_bytes, slow_bytes, frozenset({body}))
            if spilled is not None and problem.traffic_of(frozenset(spilled)) < problem.traffic[body]:
                _take_back(problem, loads, fast_bytes)
                improved = True
            else:
                for b in loads.slow() - before:
                    loads.move(b, FAST)
                for b in before:
                    loads.move(b, SLOW)
            if tried >= MOST_EXCHANGES:
                break
