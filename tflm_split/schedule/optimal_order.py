"""In which order do tasks run that read and make buffers, so that the fewest bytes are alive at the worst moment?

Exact where that can be had: the graph falls apart at tasks that come before or after every other one, and each part is
solved by a dynamic programme over sets of executed tasks (Serenity, arXiv 2003.02369). A soft budget keeps it small: sets
that need more bytes than the budget are dropped; too many sets and the budget falls, no way through and it rises. A task
that frees at least what it makes runs as soon as it can without a new peak, for that never hurts: what is alive is a
submodular function of what has run. Parts that are too big keep the order a beam search finds, and the proven bound says
by how much it may miss. Knows nothing of networks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

DEFAULT_STATES = 20_000
"""Sets of executed tasks that one call may look at beyond the beam."""
DEFAULT_BEAM = 48


@dataclass(frozen=True, slots=True)
class Task:
    """`needs`: tasks that come first. Buffers in `makes` exist from here on, or from an earlier task that makes them too.

    A buffer of `overwrites` that dies here may be written over: its bytes and those made count once.
    """

    needs: frozenset[int]
    reads: frozenset[int]
    makes: frozenset[int]
    overwrites: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class OrderProblem:
    """Tasks and the bytes of buffers; `initial` ones exist at the start, `final` ones are kept to the end."""

    tasks: tuple[Task, ...]
    bytes: tuple[int, ...]
    initial: frozenset[int] = frozenset()
    final: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Order:
    """Tasks in order, the peak of that order, and what no order can be below; equal when the order is optimal."""

    tasks: tuple[int, ...]
    peak_bytes: int
    lower_bound_bytes: int


@dataclass(frozen=True, slots=True)
class _State:
    """What has run and what is alive, as bits; `path` holds the last task and the state before it."""

    done: int
    alive: int
    live_bytes: int
    peak_bytes: int
    path: tuple[int, _State] | None = None


def least_live_order(problem: OrderProblem, states: int = DEFAULT_STATES, beam: int = DEFAULT_BEAM) -> Order:
    """An order of least peak, or the best that `states` sets and a beam of `beam` could find. Same call, same order."""
    search = _Search(problem, states)
    alive = _bits(problem.initial)
    live = sum(problem.bytes[b] for b in problem.initial)
    state, bound = _State(0, alive, live, live), live
    for part in search.parts():
        # The peak so far is forgiven: it is the same for every order of this part.
        start = _State(state.done, state.alive, state.live_bytes, state.live_bytes)
        end, part_bound = search.solve(start, part, beam)
        bound = max(bound, part_bound)
        state = _State(end.done, end.alive, end.live_bytes, max(state.peak_bytes, end.peak_bytes), _joined(state, end))
    return Order(tuple(_path(state)), state.peak_bytes, bound)


class _Search:
    """A problem as bits, and the sets that may still be looked at."""

    def __init__(self, problem: OrderProblem, states: int) -> None:
        self.left = states
        self.bytes = problem.bytes
        self.needs = [_bits(t.needs) for t in problem.tasks]
        self.makes = [tuple(sorted(t.makes)) for t in problem.tasks]
        self.touches = [tuple(sorted(t.reads | t.makes)) for t in problem.tasks]
        self.overwrites = [_bits(t.overwrites - t.makes) for t in problem.tasks]
        self.users = [0] * len(problem.bytes)
        for k, touched in enumerate(self.touches):
            for b in touched:
                self.users[b] |= 1 << k
        for b in problem.final:
            self.users[b] |= 1 << len(problem.tasks)

    def parts(self) -> Iterator[tuple[int, ...]]:
        """Sets of tasks that run one after the other in every order; each but the last ends with a task of its own rank."""
        count = len(self.needs)
        before = [0] * count
        for k in _topological(self.needs):
            before[k] = self.needs[k]
            for d in _members(self.needs[k]):
                before[k] |= before[d]
        after = [0] * count
        for k in range(count):
            for d in _members(before[k]):
                after[d] |= 1 << k
        joints = [k for k in range(count) if (before[k] | after[k]).bit_count() == count - 1]
        seen = 0
        for k in sorted(joints, key=lambda k: before[k].bit_count()):
            part = (before[k] | 1 << k) & ~seen
            seen |= part
            yield _members(part)
        rest = ((1 << count) - 1) & ~seen
        if rest:
            yield _members(rest)

    def solve(self, start: _State, part: Sequence[int], beam: int) -> tuple[_State, int]:
        """The best end state of `part` found, and a bound no order of it can be below."""
        best = self._through(start, part, None, beam)
        assert best is not None
        low, high = self._simple_bound(start, part), best.peak_bytes
        budget = high - 1
        while low < high and self.left > 0:
            # Sets above the budget are dropped; what comes through is optimal, and if nothing does, none is that low.
            found = self._through(start, part, budget, None)
            if found is not None:
                return found, found.peak_bytes
            if self._gave_up:
                high = budget
            else:
                low = budget + 1
                if low >= best.peak_bytes:
                    break
            budget = (low + high) // 2
            if budget >= high:
                break
        return best, min(low, best.peak_bytes)

    def _through(self, start: _State, part: Sequence[int], budget: int | None, beam: int | None) -> _State | None:
        """End state of least peak; with a budget only sets within it, with a beam only that many of a size."""
        self._gave_up = False
        allowance = max(self.left // 4, min(self.left, 1000))
        states = {start.done: start}
        for _ in part:
            following: dict[int, _State] = {}
            for state in states.values():
                for k in self._worth_running(state, part):
                    new = self.run(state, k)
                    if budget is not None and new.peak_bytes > budget:
                        continue
                    known = following.get(new.done)
                    if known is None or new.peak_bytes < known.peak_bytes:
                        following[new.done] = new
            if beam is not None:
                ranked = sorted(following.values(), key=lambda s: (s.peak_bytes, s.live_bytes, s.done))
                following = {s.done: s for s in ranked[:beam]}
            else:
                self.left -= len(following)
                allowance -= len(following)
                if allowance < 0:
                    self._gave_up = True
                    return None
            states = following
        return min(states.values(), key=lambda s: s.peak_bytes) if states else None

    def _worth_running(self, state: _State, part: Sequence[int]) -> list[int]:
        """Tasks of `part` that can run next; just one of them where that never hurts."""
        ready = [k for k in part if not state.done >> k & 1 and not self.needs[k] & ~state.done]
        for k in ready:
            new = self.run(state, k)
            if new.peak_bytes == state.peak_bytes and new.live_bytes <= state.live_bytes:
                return [k]
        return ready

    def run(self, state: _State, k: int) -> _State:
        """The state after task `k`."""
        done = state.done | 1 << k
        alive, live = state.alive, state.live_bytes
        for b in self.makes[k]:
            if not alive >> b & 1:
                alive |= 1 << b
                live += self.bytes[b]
        made, high = live - state.live_bytes, live
        shared = 0
        for b in self.touches[k]:
            if alive >> b & 1 and not self.users[b] & ~done:
                alive &= ~(1 << b)
                live -= self.bytes[b]
                if self.overwrites[k] >> b & 1:
                    shared = max(shared, min(made, self.bytes[b]))
        return _State(done, alive, live, max(state.peak_bytes, high - shared), (k, state))

    def _simple_bound(self, start: _State, part: Sequence[int]) -> int:
        """What each task touches is there while it runs, and so is what outlives the part; both ends count too."""
        bound = start.live_bytes
        whole = start.done | _bits(part)
        kept = sum(self.bytes[b] for b in _members(start.alive) if self.users[b] & ~whole)
        for k in part:
            touched = sum(
                self.bytes[b] for b in self.touches[k] if not (start.alive >> b & 1 and self.users[b] & ~whole)
            )
            over = max((self.bytes[b] for b in _members(self.overwrites[k])), default=0)
            made = sum(self.bytes[b] for b in self.makes[k])
            bound = max(bound, kept + touched - min(over, made))
        return bound


def _bits(members: Sequence[int] | frozenset[int]) -> int:
    return sum(1 << m for m in members)


def _members(bits: int) -> tuple[int, ...]:
    found = []
    while bits:
        lowest = bits & -bits
        found.append(lowest.bit_length() - 1)
        bits ^= lowest
    return tuple(found)


def _topological(needs: Sequence[int]) -> list[int]:
    order: list[int] = []
    done = 0
    while len(order) < len(needs):
        ready = [k for k in range(len(needs)) if not done >> k & 1 and not needs[k] & ~done]
        assert ready, "tasks wait for each other"
        order += ready
        done |= _bits(ready)
    return order


def _path(state: _State) -> list[int]:
    found = []
    while state.path:
        found.append(state.path[0])
        state = state.path[1]
    return found[::-1]


def _joined(before: _State, end: _State) -> tuple[int, _State] | None:
    """The path of `end`, whose first state stood in for `before`, led back to it."""
    state = before
    for k in _path(end):
        state = _State(0, 0, 0, 0, (k, state))
    return state.path
