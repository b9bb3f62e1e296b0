"""How many bytes are alive in each step in each of two memories, when some bodies lie in the slow one?

A body that is written over one that it reads in its first step shares bytes with it only where both lie in the same memory:

    step        3    4    5                          both fast     W slow
    R  8 bytes  ████████                 fast bytes   8  8  6       8  8  0
    W  6 bytes       ████████            slow bytes   0  0  0       0  6  6

These numbers are a lower bound of what a layout takes. `two_memories.py` has the layout itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tflm_split.plan.problem import Body, Leeway

FAST, SLOW = 0, 1


class Loads:
    """The bytes alive in each memory, by step (`live[FAST]`, `live[SLOW]`). All bodies are in the fast one at first."""

    def __init__(self, bodies: Sequence[Body], leeways: Sequence[Leeway]) -> None:
        self.bodies = bodies
        self.memory = [FAST] * len(bodies)
        self.live: npt.NDArray[np.int64] = np.zeros((2, max((b.stop for b in bodies), default=0) + 1), np.int64)
        self._over: dict[int, list[Leeway]] = {}
        """By written body: the leeways over the bodies that it reads."""
        self._concerns: dict[int, set[int]] = {}
        """By body: the written bodies whose shared bytes depend on it."""
        for leeway in leeways:
            self._over.setdefault(leeway.written, []).append(leeway)
            self._concerns.setdefault(leeway.read, set()).add(leeway.written)
            self._concerns.setdefault(leeway.written, set()).add(leeway.written)
        for b in range(len(bodies)):
            self._count(b, FAST, 1)
        for written in self._over:
            self._share(written, -1)

    def move(self, body: int, memory: int) -> None:
        """Puts a body into a memory."""
        if self.memory[body] == memory:
            return
        concerned = self._concerns.get(body, ())
        for written in concerned:
            self._share(written, 1)
        self._count(body, self.memory[body], -1)
        self.memory[body] = memory
        self._count(body, memory, 1)
        for written in concerned:
            self._share(written, -1)

    def peak(self, body: int, memory: int) -> int:
        """Most bytes alive in a memory while the body lives."""
        return int(self.live[memory, self.bodies[body].start : self.bodies[body].stop].max(initial=0))

    def slow(self) -> frozenset[int]:
        """The bodies in the slow memory."""
        return frozenset(b for b, memory in enumerate(self.memory) if memory == SLOW)

    def _count(self, body: int, memory: int, sign: int) -> None:
        for span in self.bodies[body].spans:
            self.live[memory, span.start : span.stop] += sign * span.bytes

    def _share(self, written: int, sign: int) -> None:
        """Takes off (-1) or puts back (1) what a written body shares with those under it."""
        memory, nearest, under = self.memory[written], None, 0
        for leeway in self._over[written]:
            if self.memory[leeway.read] == memory:
                nearest = leeway.distance_bytes if nearest is None else min(nearest, leeway.distance_bytes)
                under += self.bodies[leeway.read].bytes
        if nearest is not None:
            shared = max(0, min(self.bodies[written].bytes - nearest, under))
            self.live[memory, self.bodies[written].start] += sign * shared
