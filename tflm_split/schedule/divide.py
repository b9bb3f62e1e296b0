"""How is a window of steps divided around a crowded one, so that the fewest bytes live in between? Asked by `polish.py`.

The loops run in C (`native/polish.c`, in the package's host library). Where that library is missing they run in Python,
which is slower and makes the same divisions.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from tflm_split.schedule.cuts import Schedule
from tflm_split.schedule.min_cut import UNCUTTABLE, FlowNetwork
from tflm_split.schedule.step_graph import StepGraph

SOURCE, SINK = 0, 1
"""Nodes of a flow network. The source stands for steps that must run before X, the sink for X and all that must follow."""

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Window:
    """Positions [start, stop) of an order, and the pieces that its steps touch.

    A piece belongs to one of four kinds, by when it lives:

        ======|=window=|======
          ----|--------|----      throughout
          ----|---     |          before
              |    ----|----      after
              |  ----  |          inner
    """

    start: int
    stop: int
    base_bytes: int
    """Bytes alive at every position, in any order of the window's steps."""
    throughout: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    inner: tuple[int, ...]


class Divisions:
    """An order of steps that is improved by dividing windows of it. `live` are the bytes alive at each of its positions."""

    def __init__(self, step_graph: StepGraph, schedule: Schedule) -> None:
        order = schedule.steps
        self.steps_left = 0
        """Effort that is left: the steps of each window that is divided count against it."""
        steps = step_graph.steps
        self.graph = step_graph
        self.order = list(order)
        self.bytes = [p.bytes for p in step_graph.pieces]
        self.touched = {s: tuple(dict.fromkeys((*steps[s].reads, *steps[s].writes))) for s in order}
        pieces = dict.fromkeys(p for s in order for p in self.touched[s])
        self.writers = {p: tuple(s for s in step_graph.producers[p] if s in self.touched) for p in pieces}
        self.users = {
            p: tuple(s for s in dict.fromkeys((*self.writers[p], *step_graph.readers[p])) if s in self.touched)
            for p in pieces
        }
        self.first = {p: -1 if p in step_graph.initial else len(order) for p in pieces}
        """By piece: position of the first step that touches it, -1 if it exists at the start."""
        self.last = {p: len(order) if p in step_graph.final else -1 for p in pieces}
        """By piece: position of the last step that touches it, one past the end if it must survive."""
        self._extend_lives(0, self.order)
        untouched = sum(self.bytes[p] for p in step_graph.initial & step_graph.final if p not in pieces)
        self.live, self.live_apart = self._live_bytes(self.window(0, len(order), untouched), self.order)

    def _extend_lives(self, start: int, steps: Sequence[int]) -> None:
        """Let every piece live at the steps that touch it. `steps` run from position `start` on."""
        for position, s in enumerate(steps, start):
            for p in self.touched[s]:
                self.first[p] = min(self.first[p], position)
                self.last[p] = max(self.last[p], position)

    def window(self, start: int, stop: int, untouched_bytes: int | None = None) -> Window:
        """Positions [start, stop) as a window.

        `untouched_bytes` live there without being touched; None derives them from what is known to live at `start`.
        """
        throughout: list[int] = []
        before_only: list[int] = []
        after_only: list[int] = []
        inner: list[int] = []
        for p in dict.fromkeys(p for s in self.order[start:stop] for p in self.touched[s]):
            before, after = self.first[p] < start, self.last[p] >= stop
            (throughout if before and after else before_only if before else after_only if after else inner).append(p)
        if untouched_bytes is None:
            touched = (*throughout, *before_only, *after_only, *inner)
            untouched_bytes = self.live_apart[start] - sum(self.bytes[p] for p in touched if self.first[p] <= start)
        base = untouched_bytes + sum(self.bytes[p] for p in throughout)
        return Window(start, stop, base, tuple(throughout), tuple(before_only), tuple(after_only), tuple(inner))

    def _live_bytes(self, window: Window, steps: Sequence[int]) -> tuple[list[int], list[int]]:
        """Bytes alive at each position of the window if it ran `steps`: with rows written in place, and without."""
        first = dict.fromkeys((*window.throughout, *window.before), -1)
        last: dict[int, int] = {}
        for k, s in enumerate(steps):
            for p in self.touched[s]:
                first.setdefault(p, k)
                last[p] = k
        last.update(dict.fromkeys((*window.throughout, *window.after), len(steps)))
        change = [0] * (len(steps) + 2)
        change[0] = window.base_bytes
        for p in (*window.before, *window.after, *window.inner):
            change[max(first[p], 0)] += self.bytes[p]
            change[last[p] + 1] -= self.bytes[p]
        live, live_apart = [], []
        now = 0
        for k, s in enumerate(steps):
            now += change[k]
            live_apart.append(now)
            shared = 0
            for overlap in self.graph.steps[s].overlaps:
                if last[overlap.read] == k and first[overlap.written] == k:
                    shared = overlap.shared_bytes
                    break
            live.append(now - shared)
        return live, live_apart

    def improve(self, start: int, stop: int, at: int, level: int) -> bool:
        """Divide the window at `at`, then its halves where they are crowded. If that does not help, undo it: False.

        It helps if it lowers the peak, or the bytes above `level` at the same peak.
        """
        peak = max(self.live)
        best = _crowdedness(self.live, level)
        steps = self.order[start:stop]
        for early in (True, False):
            self._divide_until_thin(start, stop, at, early, peak)
            if _crowdedness(self.live, level) < best:
                return True
            self._reorder(start, steps)
        return False

    def _divide_until_thin(self, start: int, stop: int, at: int, early: bool, peak: int) -> None:
        """Divide positions [start, stop) at `at`, then each half at its own worst step while that is as high as `peak`."""
        todo = [(start, stop, at)]
        while todo:
            start, stop, at = todo.pop()
            self.steps_left -= stop - start
            before = self.order[start:stop]
            steps, middle = self._divided(self.window(start, stop), before, at - start, early)
            if steps == before:
                continue
            self._reorder(start, steps)
            for low, high in ((start, start + middle), (start + middle + 1, stop)):
                if low < high:
                    most = max(self.live[low:high])
                    if most >= peak:
                        todo.append((low, high, self.live.index(most, low)))

    def _reorder(self, start: int, steps: list[int]) -> None:
        """Run `steps` from position `start` on. They are those that ran there before, in another order."""
        stop = start + len(steps)
        if self.order[start:stop] == steps:
            return
        window = self.window(start, stop)
        self.order[start:stop] = steps
        self.live[start:stop], self.live_apart[start:stop] = self._live_bytes(window, steps)
        for p in (*window.after, *window.inner):
            self.first[p] = len(self.order)
        for p in (*window.before, *window.inner):
            self.last[p] = -1
        self._extend_lives(start, steps)

    def _divided(self, window: Window, steps: Sequence[int], at: int, early: bool) -> tuple[list[int], int]:
        """(`steps` divided around `steps[at]` with the fewest bytes alive in between, length of the first half).

        Of several such divisions, `early` runs as few steps as possible before `steps[at]`. Otherwise it is as many as possible.
        """
        network, node = self.network(window, steps, at)
        _, smallest, largest = network.minimum_cut(SOURCE, SINK, use_native=False)
        chosen = smallest if early else largest
        first = [s for k, s in enumerate(steps) if node[k] in chosen]
        second = [s for k, s in enumerate(steps) if node[k] not in chosen and k != at]
        return [*first, steps[at], *second], len(first)

    def network(self, window: Window, steps: Sequence[int], at: int) -> tuple[FlowNetwork, list[int]]:
        """The flow network whose cuts are the divisions of `steps` around `steps[at]`, and the node of each step in it."""
        local = {s: k for k, s in enumerate(steps)}
        depends = [[local[d] for d in self.graph.steps[s].depends if d in local] for s in steps]
        node = _forced(depends, at)
        free = [k for k, n in enumerate(node) if n < 0]
        network = FlowNetwork(2 + len(free))
        for n, k in enumerate(free, 2):
            node[k] = n
        for k, needs in enumerate(depends):
            for d in needs:
                if node[k] != SINK and node[d] != SOURCE:
                    network.arc(node[k], node[d], UNCUTTABLE)
        for p in (*window.before, *window.after, *window.inner):
            self._price(network, p, window, local, node)
        return network, node

    def _price(self, network: FlowNetwork, piece: int, window: Window, local: dict[int, int], node: list[int]) -> None:
        """Let each cut cost the bytes of `piece`, once, if the piece lives between the two halves."""
        bytes_ = self.bytes[piece]
        makers = {node[local[s]] for s in self.writers[piece] if s in local}
        users = {node[local[s]] for s in self.users[piece] if s in local}
        if self.first[piece] < window.start:
            makers = {SOURCE}
        if self.last[piece] >= window.stop:
            users = {SINK}
        if SOURCE in makers:
            makers = {SOURCE}
        if SINK in users:
            users = {SINK}
        users -= makers if len(makers) == 1 else set()
        if not users or makers == {SINK}:
            return
        tail = makers.pop() if len(makers) == 1 else network.node()
        for maker in sorted(makers):
            network.arc(maker, tail, UNCUTTABLE)
        if len(users) == 1:
            network.arc(tail, users.pop(), bytes_)
            return
        shared = network.node()
        network.arc(tail, shared, bytes_)
        for user in sorted(users):
            if user != SOURCE:
                network.arc(shared, user, UNCUTTABLE)


class DivisionsInC:
    """The same in C. `order` and `live` are arrays."""

    def __init__(self, library: ctypes.CDLL, start: Divisions) -> None:
        self._library = library
        count, steps, pieces = len(start.order), len(start.graph.steps), len(start.graph.pieces)
        graph_steps, touched = start.graph.steps, start.touched
        overlaps = [graph_steps[s].overlaps if s in touched else () for s in range(steps)]
        self._lists = [
            np.array(start.bytes, dtype=np.int64),
            *_lists(touched.get(s, ()) for s in range(steps)),
            *_lists([d for d in graph_steps[s].depends if d in touched] if s in touched else () for s in range(steps)),
            *_lists([o.read for o in of_step] for of_step in overlaps),
            *(
                _lists([getattr(o, name) for o in of_step] for of_step in overlaps)[1]
                for name in ("written", "shared_bytes")
            ),
            *_lists(start.writers.get(p, ()) for p in range(pieces)),
            *_lists(start.users.get(p, ()) for p in range(pieces)),
        ]
        self.order: Ints = np.array(start.order, dtype=np.int64)
        self.live: Ints = np.array(start.live, dtype=np.int64)
        lives = [np.array([lives.get(p, -1) for p in range(pieces)]) for lives in (start.first, start.last)]
        self._state = [self.order, self.live, np.array(start.live_apart, dtype=np.int64), *lives]
        columns = [array.ctypes.data for array in (*self._lists, *self._state)]
        self._native = _NativePolish(count, steps, pieces, *columns, 0)

    @property
    def steps_left(self) -> int:
        """Effort that is left: the steps of each window that is divided count against it."""
        return self._native.steps_left  # type: ignore[no-any-return]  # a field of a ctypes structure

    @steps_left.setter
    def steps_left(self, steps: int) -> None:
        self._native.steps_left = steps

    def improve(self, start: int, stop: int, at: int, level: int) -> bool:
        """As `Divisions.improve`."""
        numbers = (ctypes.c_int64(number) for number in (start, stop, at, level))
        better = self._library.tflm_split_improve(ctypes.byref(self._native), *numbers)
        if better < 0:
            raise MemoryError
        return bool(better)


class _NativePolish(ctypes.Structure):
    """`polish` of polish.c."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in ("count", "steps", "pieces")),
        *(
            (name, ctypes.c_void_p)
            for name in (
                "bytes", "first_touched", "touched", "first_depends", "depends", "first_overlap", "overlap_read",
                "overlap_written", "overlap_shared", "first_writer", "writers", "first_user", "users", "order", "live",
                "live_apart", "first", "last",
            )
        ),
        ("steps_left", ctypes.c_int64),
    ]  # fmt: skip


def _lists(values: Iterable[Sequence[int]]) -> tuple[Ints, Ints]:
    """(Where each list begins, all lists one after the other)."""
    lists = list(values)
    first = np.array(list(accumulate(map(len, lists), initial=0)), dtype=np.int64)
    return first, np.array([value for of_one in lists for value in of_one], dtype=np.int64)


def _forced(depends: Sequence[Sequence[int]], at: int) -> list[int]:
    """By step: `SOURCE` if `at` depends on it, `SINK` if it is `at` or depends on it, -1 if it may go to either side."""
    node = [-1] * len(depends)
    node[at] = SINK
    todo = list(depends[at])
    while todo:
        k = todo.pop()
        if node[k] < 0:
            node[k] = SOURCE
            todo.extend(depends[k])
    for k in range(at + 1, len(depends)):
        if any(node[d] == SINK for d in depends[k]):
            node[k] = SINK
    return node


def _crowdedness(live: Sequence[int], level: int) -> tuple[int, int]:
    """(Peak in bytes, bytes above `level` summed over all steps). Less is better."""
    return max(live), sum(b - level for b in live if b > level)
