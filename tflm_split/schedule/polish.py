"""Can the steps of a schedule change places so that fewer bytes live at the worst moment?

At the most crowded step, the steps around it are divided anew into those that run before it and those that run after:
among all divisions that respect what each step reads, the one that leaves fewest bytes in between. That is a cheapest
cut (a piece costs its bytes when its writer is before and a reader after), so each question is answered exactly; each
half keeps its own order, or is divided anew where it is still too crowded. What lowers the peak or thins out the crowd
stays; the next most crowded step follows, until nothing helps.

A region's steps stay between the stock operators around it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tflm_split.plan.progress import Tick, no_tick
from tflm_split.schedule.cuts import Schedule
from tflm_split.schedule.min_cut import UNCUTTABLE, FlowNetwork
from tflm_split.schedule.step_graph import StepGraph

REACHES = ((32, 128, 512), (48, 192, 768), (64, 256, 1024))
"""How many steps to each side of the most crowded one may move: of one list, the smallest that helps is taken, and the
next list is turned to when none does."""
CROWDED = 0.97
"""Steps with more than this share of the peak are a crowd: a move must lower the peak or thin it out."""
PICKED = 3
"""Of the most crowded steps, and of the crowd, how many are asked about before a wider window is tried."""
_SOURCE, _SINK = 0, 1
"""Nodes of a network: all that must come before the step in question, and itself with all that must come after."""


@dataclass(frozen=True, slots=True)
class _Window:
    """Positions [start, stop) of an order, and the pieces touched there by when else they exist."""

    start: int
    stop: int
    base_bytes: int
    """What lives at every position, whatever the order of the window's steps."""
    throughout: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    inner: tuple[int, ...]


class Polish:
    """A schedule whose steps change places, window by window; can be stopped and gone on with.

    Looking at the same schedule for the same total effort gives the same result.
    """

    def __init__(self, step_graph: StepGraph, schedule: Schedule, stock: frozenset[int]) -> None:
        order = schedule.steps
        self.best = schedule
        self.exhausted = not order
        """Whether nothing more will be found."""
        self.left = 0
        """Steps that may still be looked at."""
        self.way = 0
        self.peak_of_round = schedule.live_peak_bytes
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
        """Position of the first step that touches a piece; -1 for what exists at the start."""
        self.last = {p: len(order) if p in step_graph.final else -1 for p in pieces}
        """Position of the last; one past the end for what must survive."""
        self._touch(0, self.order)
        self.runs = _runs([steps[s].node in stock for s in order])
        untouched = sum(self.bytes[p] for p in step_graph.initial & step_graph.final if p not in pieces)
        self.live, self.apart = self._crowd(self._window(0, len(order), untouched), self.order)
        self.open_questions = self._questions()

    def _touch(self, start: int, steps: Sequence[int]) -> None:
        for position, s in enumerate(steps, start):
            for p in self.touched[s]:
                self.first[p] = min(self.first[p], position)
                self.last[p] = max(self.last[p], position)

    def _window(self, start: int, stop: int, untouched_bytes: int | None = None) -> _Window:
        found: tuple[list[int], list[int], list[int], list[int]] = ([], [], [], [])
        for p in dict.fromkeys(p for s in self.order[start:stop] for p in self.touched[s]):
            before, after = self.first[p] < start, self.last[p] >= stop
            found[0 if before and after else 1 if before else 2 if after else 3].append(p)
        if untouched_bytes is None:
            here = sum(self.bytes[p] for pieces in found for p in pieces if self.first[p] <= start)
            untouched_bytes = self.apart[start] - here
        base = untouched_bytes + sum(self.bytes[p] for p in found[0])
        throughout, before_only, after_only, inner = map(tuple, found)
        return _Window(start, stop, base, throughout, before_only, after_only, inner)

    def _crowd(self, window: _Window, steps: Sequence[int]) -> tuple[list[int], list[int]]:
        """Bytes alive at each of the window's positions if they ran `steps`: as rows overlap, and if none did."""
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
        live, apart = [], []
        now = 0
        for k, s in enumerate(steps):
            now += change[k]
            apart.append(now)
            shared = 0
            for overlap in self.graph.steps[s].overlaps:
                if last[overlap.read] == k and first[overlap.written] == k:
                    shared = overlap.shared_bytes
                    break
            live.append(now - shared)
        return live, apart

    @property
    def schedule(self) -> Schedule:
        """The one this started from, or one of lower live peak."""
        peak = max(self.live, default=0)
        if peak >= self.best.live_peak_bytes:
            return self.best
        return replace(self.best, steps=tuple(self.order), live_peak_bytes=peak)

    def run(self, effort: int, tick: Tick = no_tick) -> None:
        """Go on until nothing helps or `effort` more steps have been looked at; `tick` is called for each window."""
        self.left += effort
        while self.left > 0 and not self.exhausted:
            tick()
            question = next(self.open_questions, None)
            if question is None:
                self._look_otherwise()
            elif self._improved(*question):
                self.open_questions = self._questions()

    def _look_otherwise(self) -> None:
        """Turn to the next list of reaches; after the last to the first, unless a whole round did not lower the peak."""
        self.way += 1
        if self.way == len(REACHES):
            peak = max(self.live)
            self.exhausted = peak >= self.peak_of_round
            self.way, self.peak_of_round = 0, peak
        self.open_questions = self._questions()

    def _questions(self) -> Iterator[tuple[int, int, int]]:
        """Windows around crowded steps, and where in them those are: the narrow ones first."""
        peak = max(self.live, default=0)
        most = [k for k, live in enumerate(self.live) if live == peak]
        crowd = [k for k, live in enumerate(self.live) if live > CROWDED * peak]
        picked = dict.fromkeys([*_spread(most, PICKED), *_spread(crowd, PICKED)])
        for reach in REACHES[self.way]:
            for at in picked:
                low, high = self.runs[at]
                yield max(low, at - reach), min(high, at + reach + 1), at

    def _improved(self, start: int, stop: int, at: int) -> bool:
        """Whether dividing the window at `at`, and what comes of it further, helped; if not, all is as it was."""
        peak = max(self.live)
        level = int(CROWDED * peak)
        best = _score(self.live, level)
        steps = self.order[start:stop]
        for early in (True, False):
            self._conquer(start, stop, at, early, peak)
            if _score(self.live, level) < best:
                return True
            self._put(start, steps)
        return False

    def _conquer(self, start: int, stop: int, at: int, early: bool, peak: int) -> None:
        """Divide positions [start, stop) at `at`, then each part anew as long as it is as crowded as `peak`."""
        todo = [(start, stop, at)]
        while todo:
            start, stop, at = todo.pop()
            self.left -= stop - start
            before = self.order[start:stop]
            steps, middle = self._divided(self._window(start, stop), before, at - start, early)
            if steps == before:
                continue
            self._put(start, steps)
            for low, high in ((start, start + middle), (start + middle + 1, stop)):
                if low < high:
                    most = max(self.live[low:high])
                    if most >= peak:
                        todo.append((low, high, self.live.index(most, low)))

    def _put(self, start: int, steps: list[int]) -> None:
        """Let `steps`, the same as before in another order, run from `start` on."""
        stop = start + len(steps)
        if self.order[start:stop] == steps:
            return
        window = self._window(start, stop)
        self.order[start:stop] = steps
        self.live[start:stop], self.apart[start:stop] = self._crowd(window, steps)
        for p in (*window.after, *window.inner):
            self.first[p] = len(self.order)
        for p in (*window.before, *window.inner):
            self.last[p] = -1
        self._touch(start, steps)

    def _divided(self, window: _Window, steps: Sequence[int], at: int, early: bool) -> tuple[list[int], int]:
        """`steps` in two halves around `steps[at]`, with as few bytes as possible alive in between; where the first ends.

        Of all such divisions the one with fewest steps in the first half, or with most.
        """
        network, node = self._network(window, steps, at)
        _, smallest, largest = network.cheapest_cut(_SOURCE, _SINK)
        chosen = smallest if early else largest
        first = [s for k, s in enumerate(steps) if node[k] in chosen]
        second = [s for k, s in enumerate(steps) if node[k] not in chosen and k != at]
        return [*first, steps[at], *second], len(first)

    def _network(self, window: _Window, steps: Sequence[int], at: int) -> tuple[FlowNetwork, list[int]]:
        """What a division of `steps` around `steps[at]` costs, and the network's node of each step."""
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
        """Let a cut pay for `piece` once if it exists when the first half is done."""
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
    """By step: `_SOURCE` for what `at` depends on, `_SINK` for itself and what depends on it, -1 for the others."""
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


def _spread(positions: Sequence[int], count: int) -> list[int]:
    """At most `count` of `positions`, evenly, both ends among them."""
    if len(positions) <= count:
        return list(positions)
    return [positions[k * (len(positions) - 1) // (count - 1)] for k in range(count)]


def _score(live: Sequence[int], level: int) -> tuple[int, int]:
    """Peak in bytes; bytes above `level`, summed over steps."""
    return max(live), sum(b - level for b in live if b > level)


def _runs(is_stock: Sequence[bool]) -> list[tuple[int, int]]:
    """By position: the run of steps, between two stock operators, that it belongs to."""
    runs: list[tuple[int, int]] = []
    start = 0
    for k in range(len(is_stock) + 1):
        if k == len(is_stock) or is_stock[k]:
            runs += [(start, k)] * (k - start)
            if k < len(is_stock):
                runs.append((k, k + 1))
            start = k + 1
    return runs
