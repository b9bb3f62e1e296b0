"""Can the steps of a schedule change places so that fewer bytes live at the worst moment?

Take a window of steps around the most crowded step X. Divide the others anew: some run before X, the rest after it.

    before   a b c d X e f g        bytes alive at X: the rows that a..d write and X, e, f or g read
    after    a c e   X b d f g      e no longer waits with its input, b and d no longer keep their output

Of all divisions that respect what each step reads, the best one leaves the fewest bytes alive in between. It is a minimum
cut: a piece costs its bytes if it is written before X and read after. So each question has an exact answer. A half keeps
its own order, or is divided in the same way if it is still too crowded.

A new order is kept if it lowers the peak, or leaves fewer bytes in crowded steps. Then the next most crowded step follows,
until nothing helps. Steps never cross a stock operator.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from tflm_split.native.loops import native
from tflm_split.plan.progress import Tick, no_tick
from tflm_split.schedule.cuts import Schedule
from tflm_split.schedule.divide import Divisions, DivisionsInC
from tflm_split.schedule.step_graph import StepGraph

REACHES = ((32, 128, 512), (48, 192, 768), (64, 256, 1024))
"""How many steps on each side of a crowded one the window takes in. Each list is tried from its smallest reach up.

When no reach of a list helps, the next list is used.
"""
CROWDED = 0.97
"""Steps with more than this share of the peak are crowded. A new order must lower the peak or the bytes above this share."""
MAX_PICKED = 3
"""Windows of one reach are tried around so many of the steps at the peak, and around so many of the crowded steps."""


class Polish:
    """A schedule that is polished in several calls of `run`. The same schedule and total effort give the same result."""

    def __init__(
        self, step_graph: StepGraph, schedule: Schedule, stock: frozenset[int], use_native: bool = True
    ) -> None:
        self.best = schedule
        self.exhausted = not schedule.steps
        """Whether no further improvement is possible."""
        self.reach_list = 0
        self.peak_at_round_start = schedule.live_peak_bytes
        library = native() if use_native else None
        divisions = Divisions(step_graph, schedule)
        self.divisions = divisions if library is None else DivisionsInC(library, divisions)
        self.runs = _between_stock([step_graph.steps[s].node in stock for s in schedule.steps])
        self.windows_to_try = self._windows_to_try()

    @property
    def schedule(self) -> Schedule:
        """The schedule this started from, or a better one with a lower live peak."""
        peak = self._peak()
        if peak >= self.best.live_peak_bytes:
            return self.best
        return replace(self.best, steps=tuple(int(s) for s in self.divisions.order), live_peak_bytes=peak)

    def _peak(self) -> int:
        return int(np.max(self.divisions.live, initial=0))

    def run(self, effort: int, tick: Tick = no_tick) -> None:
        """Go on until nothing helps or the windows divided have `effort` more steps. `tick` is called for each window."""
        self.divisions.steps_left += effort
        while self.divisions.steps_left > 0 and not self.exhausted:
            tick()
            window = next(self.windows_to_try, None)
            if window is None:
                self._next_reaches()
            elif self.divisions.improve(*window, int(CROWDED * self._peak())):
                self.windows_to_try = self._windows_to_try()

    def _next_reaches(self) -> None:
        """Use the next list of reaches. After the last comes the first, unless a whole round did not lower the peak."""
        self.reach_list += 1
        if self.reach_list == len(REACHES):
            peak = self._peak()
            self.exhausted = peak >= self.peak_at_round_start
            self.reach_list, self.peak_at_round_start = 0, peak
        self.windows_to_try = self._windows_to_try()

    def _windows_to_try(self) -> Iterator[tuple[int, int, int]]:
        """(Start, stop, position of the crowded step) of the windows around crowded steps, narrow windows first."""
        live, peak = np.asarray(self.divisions.live), self._peak()
        most, crowd = (np.flatnonzero(mask).tolist() for mask in (live == peak, live > CROWDED * peak))
        picked = dict.fromkeys([*_evenly_spread(most, MAX_PICKED), *_evenly_spread(crowd, MAX_PICKED)])
        for reach in REACHES[self.reach_list]:
            for at in picked:
                low, high = self.runs[at]
                yield max(low, at - reach), min(high, at + reach + 1), at


def _evenly_spread(positions: Sequence[int], count: int) -> list[int]:
    """At most `count` of `positions`, evenly spread, with the first and the last."""
    if len(positions) <= count:
        return list(positions)
    return [positions[k * (len(positions) - 1) // (count - 1)] for k in range(count)]


def _between_stock(is_stock: Sequence[bool]) -> list[tuple[int, int]]:
    """By position: [start, stop) of the steps around it with no stock operator in between. A stock operator is alone."""
    runs: list[tuple[int, int]] = []
    start = 0
    for k in range(len(is_stock) + 1):
        if k == len(is_stock) or is_stock[k]:
            runs += [(start, k)] * (k - start)
            if k < len(is_stock):
                runs.append((k, k + 1))
            start = k + 1
    return runs
