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
from dataclasses import dataclass, replace

from tflm_split.plan.progress import Tick, no_tick
from tflm_split.schedule.cuts import Schedule
from tflm_split.schedule.min_cut import UNCUTTABLE, FlowNetwork
from tflm_split.schedule.step_graph import StepGraph

REACHES = ((32, 128, 512), (48, 192, 768), (64, 256, 1024))
"""How many steps on each side of a crowded one the window takes in. Each list is tried from its smallest reach up.

When no reach of a list helps, the next list is used.
"""
CROWDED = 0.97
"""Steps with more than this share of the peak are crowded. A new order must lower the peak or the bytes above this share."""
MAX_PICKED = 3
"""Windows of one reach are tried around so many of the steps at the peak, and around so many of the crowded steps."""
_SOURCE, _SINK = 0, 1
"""Nodes of a flow network. The source stands for steps that must run before X, the sink for X and all that must follow."""


@dataclass(frozen=True, slots=True)
class _Window:
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


class Polish:
    """A schedule that is polished in several calls of `run`. The same schedule and total effort give the same result."""

    def __init__(self, step_graph: StepGraph, schedule: Schedule, stock: frozenset[int]) -> None:
        order = schedule.steps
        self.best = schedule
        self.exhausted = not order
        """Whether no further improvement is possible."""
        self.steps_left = 0
        """Effort that is left: the steps of each window that is divided count against it."""
        self.reach_list = 0
        self.peak_at_round_start = schedule.live_peak_bytes
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
        self.runs = _between_stock([steps[s].node in stock for s in order])
        untouched = sum(self.bytes[p] for p in step_graph.initial & step_graph.final if p not in pieces)
        self.live, self.live_apart = self._live_bytes(self._window(0, len(order), untouched), self.order)
        self.windows_to_try = self._windows_to_try()

    def _extend_lives(self, start: int, steps: Sequence[int]) -> None:
        """Let every piece live at the steps that touch it. `steps` run from position `start` on."""
        for position, s in enumerate(steps, start):
            for p in self.touched[s]:
                self.first[p] = min(self.first[p], position)
                self.last[p] = max(self.last[p], position)

    def _window(self, start: int, stop: int, untouched_bytes: int | None = None) -> _Window:
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
        return _Window(start, stop, base, tuple(throughout), tuple(before_only), tuple(after_only), tuple(inner))

    def _live_bytes(self, window: _Window, steps: Sequence[int]) -> tuple[list[int], list[int]]:
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

    @property
    def schedule(self) -> Schedule:
        """The schedule this started from, or a better one with a lower live peak."""
        peak = max(self.live, default=0)
        if peak >= self.best.live_peak_bytes:
            return self.best
        return replace(self.best, steps=tuple(self.order), live_peak_bytes=peak)

    def run(self, effort: int, tick: Tick = no_tick) -> None:
        """Go on until nothing helps or the windows divided have `effort` more steps. `tick` is called for each window."""
        self.steps_left += effort
        while self.steps_left > 0 and not self.exhausted:
            tick()
            window = next(self.windows_to_try, None)
            if window is None:
                self._next_reaches()
            elif self._improve(*window):
                self.windows_to_try = self._windows_to_try()

    def _next_reaches(self) -> None:
        """Use the next list of reaches. After the last comes the first, unless a whole round did not lower the peak."""
        self.reach_list += 1
        if self.reach_list == len(REACHES):
            peak = max(self.live)
            self.exhausted = peak >= self.peak_at_round_start
            self.reach_list, self.peak_at_round_start = 0, peak
        self.windows_to_try = self._windows_to_try()

    def _windows_to_try(self) -> Iterator[tuple[int, int, int]]:
        """(Start, stop, position of the crowded step) of the windows around crowded steps, narrow windows first."""
        peak = max(self.live, default=0)
        most = [k for k, live in enumerate(self.live) if live == peak]
        crowd = [k for k, live in enumerate(self.live) if live > CROWDED * peak]
        picked = dict.fromkeys([*_evenly_spread(most, MAX_PICKED), *_evenly_spread(crowd, MAX_PICKED)])
        for reach in REACHES[self.reach_list]:
            for at in picked:
                low, high = self.runs[at]
                yield max(low, at - reach), min(high, at + reach + 1), at

    def _improve(self, start: int, stop: int, at: int) -> bool:
        """Divide the window at `at`, then its halves where they are crowded. If that does not help, undo it: False."""
        peak = max(self.live)
        level = int(CROWDED * peak)
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
            steps, middle = self._divided(self._window(start, stop), before, at - start, early)
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
        window = self._window(start, stop)
        self.order[start:stop] = steps
        self.live[start:stop], self.live_apart[start:stop] = self._live_bytes(window, steps)
        for p in (*window.after, *window.inner):
            self.first[p] = len(self.order)
        for p in (*window.before, *window.inner):
            self.last[p] = -1
        self._extend_lives(start, steps)

    def _divided(self, window: _Window, steps: Sequence[int], at: int, early: bool) -> tuple[list[int], int]:
        """(`steps` divided around `steps[at]` with the fewest bytes alive in between, length of the first half).

        Of several such divisions, `early` runs as few steps as possible before `steps[at]`. Otherwise it is as many as possible.
        """
        network, node = self._network(window, steps, at)
        _, smallest, largest = network.minimum_cut(_SOURCE, _SINK)
        chosen = smallest if early else largest
        first = [s for k, s in enumerate(steps) if node[k] in chosen]
        second = [s for k, s in enumerate(steps) if node[k] not in chosen and k != at]
        return [*first, steps[at], *second], len(first)

    def _network(self, window: _Window, steps: Sequence[int], at: int) -> tuple[FlowNetwork, list[int]]:
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
                if node[k] != _SINK and node[d] != _SOURCE:
                    network.arc(node[k], node[d], UNCUTTABLE)
        for p in (*window.before, *window.after, *window.inner):
            self._price(network, p, window, local, node)
        return network, node

    def _price(self, network: FlowNetwork, piece: int, window: _Window, local: dict[int, int], node: list[int]) -> None:
        """Let each cut cost the bytes of `piece`, once, if the piece lives between the two halves."""
        bytes_ = self.bytes[piece]
        makers = {node[local[s]] for s in self.writers[piece] if s in local}
        users = {node[local[s]] for s in self.users[piece] if s in local}
        if self.first[piece] < window.start:
            makers = {_SOURCE}
        if self.last[piece] >= window.stop:
            users = {_SINK}
        if _SOURCE in makers:
            makers = {_SOURCE}
        if _SINK in users:
            users = {_SINK}
        users -= makers if len(makers) == 1 else set()
        if not users or makers == {_SINK}:
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
            if user != _SOURCE:
                network.arc(shared, user, UNCUTTABLE)


def _forced(depends: Sequence[Sequence[int]], at: int) -> list[int]:
    """By step: `_SOURCE` if `at` depends on it, `_SINK` if it is `at` or depends on it, -1 if it may go to either side."""
    node = [-1] * len(depends)
    node[at] = _SINK
    todo = list(depends[at])
    while todo:
        k = todo.pop()
        if node[k] < 0:
            node[k] = _SOURCE
            todo.extend(depends[k])
    for k in range(at + 1, len(depends)):
        if any(node[d] == _SINK for d in depends[k]):
            node[k] = _SINK
    return node


def _evenly_spread(positions: Sequence[int], count: int) -> list[int]:
    """At most `count` of `positions`, evenly spread, with the first and the last."""
    if len(positions) <= count:
        return list(positions)
    return [positions[k * (len(positions) - 1) // (count - 1)] for k in range(count)]


def _crowdedness(live: Sequence[int], level: int) -> tuple[int, int]:
    """(Peak in bytes, bytes above `level` summed over all steps). Less is better."""
    return max(live), sum(b - level for b in live if b > level)


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
