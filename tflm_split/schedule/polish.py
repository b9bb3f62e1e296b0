"""Can the steps of a schedule change places so that fewer bytes live at the worst moment?

At the most crowded step, the steps around it are divided anew into those that run before it and those that run after:
among all divisions that respect what each step reads, the one that leaves fewest bytes in between. That is a cheapest
cut (a piece costs its bytes when its writer is before and a reader after), so each question is answered exactly; each
half keeps its own order. A move stays when the crowd shrinks; the next most crowded step follows, until nothing helps.

A region's steps stay between the stock operators around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tflm_split.schedule.cuts import Schedule
from tflm_split.schedule.min_cut import UNCUTTABLE, FlowNetwork
from tflm_split.schedule.step_graph import StepGraph

WINDOWS = (32, 128, 512)
"""Steps to each side of the most crowded one that may move; the smallest window that helps is taken."""
CROWDED = 0.97
"""Steps with more than this share of the peak count as crowded: a move must lower the peak or thin them out."""
DEFAULT_EFFORT = 300_000
"""Steps in all windows looked at."""

Score = tuple[int, int]
"""Peak in bytes; bytes above the crowded level, over all steps."""


def polished(
    step_graph: StepGraph, schedule: Schedule, stock: frozenset[int], effort: int = DEFAULT_EFFORT
) -> Schedule:
    """`schedule` with its steps in an order of no higher live peak; `effort` counts steps looked at."""
    search = _Polish(step_graph, list(schedule.steps), stock)
    search.run(effort)
    peak = max(search.live, default=0)
    if peak >= schedule.live_peak_bytes:
        return schedule
    return replace(schedule, steps=tuple(search.order), live_peak_bytes=peak)


@dataclass(frozen=True, slots=True)
class _Window:
    """Positions [start, stop) of an order: which pieces are touched there, and which of them exist before and after."""

    start: int
    steps: tuple[int, ...]
    base_bytes: int
    """What lives throughout, and is not touched here, or is there before and after anyway."""
    before: frozenset[int]
    """Touched pieces that exist before the window and not after it."""
    after: frozenset[int]
    """Touched pieces that exist after the window and not before it."""
    inner: frozenset[int]
    """Touched pieces that exist neither before nor after."""


class _Polish:
    def __init__(self, step_graph: StepGraph, order: list[int], stock: frozenset[int]) -> None:
        self.graph = step_graph
        self.order = order
        steps = step_graph.steps
        self.touches = {s: tuple(dict.fromkeys((*steps[s].reads, *steps[s].writes))) for s in order}
        self.bounds: list[tuple[int, int]] = []
        """By position: the run of steps between two stock operators that it belongs to."""
        start = 0
        for k in range(len(order) + 1):
            if k == len(order) or steps[order[k]].node in stock:
                self.bounds += [(start, k)] * (k - start)
                if k < len(order):
                    self.bounds.append((k, k + 1))
                start = k + 1
        users: dict[int, list[int]] = {}
        for s in order:
            for p in self.touches[s]:
                users.setdefault(p, []).append(s)
        self.users = users
        self.position = {s: k for k, s in enumerate(order)}
        self.live = self._live_of(self._window(0, len(order)), order)

    def _window(self, start: int, stop: int) -> _Window:
        graph, position = self.graph, self.position
        steps = tuple(self.order[start:stop])
        before, after, inner = set(), set(), set()
        throughout = 0
        for p in {p for s in steps for p in self.touches[s]}:
            first, last = self._life(p)
            if first < start and last >= stop:
                throughout += graph.pieces[p].bytes
            elif first < start:
                before.add(p)
            elif last >= stop:
                after.add(p)
            else:
                inner.add(p)
        if start == 0 and stop == len(self.order):
            untouched = sum(graph.pieces[p].bytes for p in graph.initial & graph.final - self.users.keys())
            base = throughout + untouched
        else:
            # What lives at the window's first step, less what is touched: pieces of `before`, and those it makes itself.
            base = self._untouched(start, stop)
            base += throughout
        del position
        return _Window(start, steps, base, frozenset(before), frozenset(after), frozenset(inner))
