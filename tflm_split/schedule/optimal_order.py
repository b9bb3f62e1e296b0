"""In which order do tasks run that read and make buffers, so that the fewest bytes are alive at the worst moment?

Exact where that can be had: the graph falls apart at tasks that come before or after every other one, and each part is
solved by a dynamic programme over sets of executed tasks (Serenity, arXiv 2003.02369). A soft budget keeps it small: sets
that need more bytes than the budget are dropped; too many sets and the budget falls, no way through and it rises. A task
that frees at least what it makes runs as soon as the budget allows, and one that frees no more than it makes waits for the
lone task that needs it, for neither ever hurts: what is alive is a submodular function of what has run. Parts that are too
big keep the order a beam search finds, and the proven bound says by how much it may miss. Knows nothing of networks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

DEFAULT_STATES = 200_000
"""Sets of executed tasks that one call may look at beyond the beam."""
DEFAULT_BEAM = 48
NEAR_BEST = 8
"""The next budget lies this part of what is still open below the best peak found: the beam is seldom far off."""


@dataclass(frozen=True, slots=True)
class Task:
    """`needs`: tasks that come first. Buffers in `makes` exist from here on, or from an earlier task that makes them too.

    A buffer of `overwrites` that dies here may be written over, as many of its bytes as it says: those count once.
    """

    needs: frozenset[int]
    reads: frozenset[int]
    makes: frozenset[int]
    overwrites: Mapping[int, int] = field(default_factory=lambda: MappingProxyType({}))


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
    """Tasks that have run and chains that can run next, as bits; `path` holds the last chain and the state before it."""

    done: int
    ready: int
    live_bytes: int
    peak_bytes: int
    crowd_bytes: int = 0
    """What was alive while each task ran, summed up: of orders of the same peak, the least crowded is taken."""
    path: tuple[Sequence[int], _State] | None = None


def least_live_order(problem: OrderProblem, states: int = DEFAULT_STATES, beam: int = DEFAULT_BEAM) -> Order:
    """An order of least peak, or the best that `states` sets and a beam of `beam` could find. Same call, same order."""
    search = _Search(problem, states)
    live = sum(problem.bytes[b] for b in problem.initial)
    tasks: list[int] = []
    done, peak, bound = 0, live, live
    for part in search.parts:
        # The peak so far is forgiven: it is the same for every order of this part.
        start = _State(done, search.ready(done, part), live, live)
        end, part_bound = search.solve(start, part, beam)
        bound, peak = max(bound, part_bound), max(peak, end.peak_bytes)
        done, live = end.done, end.live_bytes
        tasks += _path(end)
    return Order(tuple(tasks), peak, bound)


class _Search:
    """A problem as bits, and the sets that may still be looked at."""

    def __init__(self, problem: OrderProblem, states: int) -> None:
        self.left = states
        self.bytes = problem.bytes
        count = len(problem.tasks)
        self.needs = [_bits(t.needs) for t in problem.tasks]
        self.makes_of = [tuple(sorted(t.makes)) for t in problem.tasks]
        self.overwrites = [{b: n for b, n in t.overwrites.items() if b not in t.makes} for t in problem.tasks]
        self.makers = [1 << count if b in problem.initial else 0 for b in range(len(problem.bytes))]
        """By buffer: the tasks that make it, as bits; one more for what exists at the start."""
        self.users = [1 << count if b in problem.final else 0 for b in range(len(problem.bytes))]
        """By buffer: the tasks that read or make it; one more for what is kept."""
        for k, task in enumerate(problem.tasks):
            for b in task.makes:
                self.makers[b] |= 1 << k
            for b in task.reads | task.makes:
                self.users[b] |= 1 << k
        self.touches = [tuple(b for b in sorted(t.reads | t.makes) if self.makers[b]) for t in problem.tasks]
        self.followers: list[list[int]] = [[] for _ in problem.tasks]
        for k, task in enumerate(problem.tasks):
            for d in task.needs:
                self.followers[d].append(k)
        self.exists = 1 << count
        """The bit of what exists at the start, among those of tasks that have run."""
        self.parts = self._parts()
        self.chains = self._chains()
        self.first_of = {k: first for first, chain in self.chains.items() for k in chain}
        self.waits_for = {
            first: _bits(frozenset().union(*(problem.tasks[k].needs for k in chain)) - frozenset(chain))
            for first, chain in self.chains.items()
        }
        """By chain: tasks that must run before it."""
        sizes, makers, users = self.bytes, self.makers, self.users
        self.made = [self._sum(b for b in m if makers[b] == 1 << k) for k, m in enumerate(self.makes_of)]
        """Bytes that only this task makes; in `makes`, bytes and makers of the other buffers it makes."""
        self.makes = [[(sizes[b], makers[b]) for b in m if makers[b] != 1 << k] for k, m in enumerate(self.makes_of)]
        self.frees = [
            [(sizes[b], users[b], over.get(b, 0)) for b in touched]
            for touched, over in zip(self.touches, self.overwrites, strict=True)
        ]
        """Bytes and users of what might die with a task, and how many bytes of it may be written over."""
        self.near = self._near()

    def _parts(self) -> tuple[int, ...]:
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
        self.joints = {k for k in range(count) if (before[k] | after[k]).bit_count() == count - 1}
        parts = []
        seen = 0
        for k in sorted(self.joints, key=lambda k: before[k].bit_count()):
            parts.append((before[k] | 1 << k) & ~seen)
            seen |= parts[-1]
        rest = ((1 << count) - 1) & ~seen
        return (*parts, rest) if rest else tuple(parts)

    def _chains(self) -> dict[int, list[int]]:
        """First task -> tasks that may run one right after the other in some best order: what waits for the last one."""
        found: dict[int, list[int]] = {}
        """By last task, until a task takes it in."""
        for k in _topological(self.needs):
            waiting = [d for d in _members(self.needs[k]) if d in found and self.followers[d] == [k]]
            taken = [found.pop(d) for d in waiting if d not in self.joints and self._may_wait(found[d], k)]
            found[k] = [*(d for chain in taken for d in chain), k]
        return {chain[0]: chain for chain in found.values()}

    def _may_wait(self, chain: Sequence[int], follower: int) -> bool:
        """Whether it never hurts to run `chain` right before its lone follower, whenever that runs.

        So it is when the chain leaves no less than it can free, for then it leaves less alive while it waits, and when none
        of its tasks needs more than the follower does.
        """
        tasks = _bits((*chain, follower))
        own = {b for k in chain for b in self.makes_of[k]}
        if any(self.makers[b].bit_count() > 1 or self.users[b] & ~tasks for b in own):
            return False
        left, needed, freed = 0, [], []
        for k in chain:
            made = self._sum(self.makes_of[k])
            left += made
            outer = [b for b in self.touches[k] if b not in own]
            freed.append(self._sum(outer))
            over = min(self.overwrites[k].get(outer[0], 0), made) if len(outer) == 1 else 0
            needed.append(max(left, left - over + freed[-1]))
            tasks ^= 1 << k
            left -= self._sum(b for b in self.touches[k] if b in own and not self.users[b] & tasks)
        made = self._sum(b for b in self.makes_of[follower] if self.makers[b] == 1 << follower)
        over = max(self.overwrites[follower].values(), default=0)
        most = max(high + sum(freed[k + 1 :]) for k, high in enumerate(needed))
        return left >= sum(freed) and left + made - over >= most

    def _near(self) -> dict[int, int]:
        """Chain -> chains for which it matters that it has run: what it lets run, and what touches the same buffers."""
        first_of = self.first_of
        touching: dict[int, int] = {}
        for k, touched in enumerate(self.touches):
            for b in touched:
                touching[b] = touching.get(b, 0) | 1 << first_of[k]
        near = {}
        for first, chain in self.chains.items():
            near[first] = _bits({first_of[k] for k in self.followers[chain[-1]]})
            for k in chain:
                for b in self.touches[k]:
                    near[first] |= touching[b]
        return near

    def ready(self, done: int, part: int) -> int:
        """Chains of `part` that can run next, as the bits of their first tasks."""
        return _bits([k for k in self.chains if part >> k & 1 and not done >> k & 1 and not self.waits_for[k] & ~done])

    def solve(self, start: _State, part: int, beam: int) -> tuple[_State, int]:
        """The best end state of `part` found, and a bound no order of it can be below."""
        best = self._through(start, part, None, beam)
        assert best is not None
        low = self._simple_bound(start, part)
        allowed = low
        while allowed < best.peak_bytes and self.left > 0:
            # Sets above the budget are dropped: what comes through is within it, and if nothing does, none is that low.
            budget = best.peak_bytes - 1 - (best.peak_bytes - allowed) // NEAR_BEST
            found = self._through(start, part, budget, None)
            if found is not None:
                best = found
            elif self._gave_up:
                allowed = budget + 1
            else:
                # Any budget below the least that was dropped drops the same.
                low = max(low, min(self._least_dropped, best.peak_bytes))
                allowed = max(allowed, low)
        even = self._through(start, part, best.peak_bytes, None) if self.left > 0 else None
        if even is not None and even.crowd_bytes < best.crowd_bytes:
            best = even
        return best, min(low, best.peak_bytes)

    def _through(self, start: _State, part: int, budget: int | None, beam: int | None) -> _State | None:
        """End state of least peak, or one within `budget`; with a beam only that many sets of a size are kept."""
        self._gave_up = False
        self._least_dropped = sum(self.bytes)
        allowance = max(self.left // 2, min(self.left, 1000))
        by_size: list[dict[int, _State]] = [{} for _ in range(part.bit_count() + 1)]
        first = self._settled(start, part, budget, start.ready, 0)
        by_size[(first.done & part).bit_count()][first.done] = first
        for size in range(part.bit_count()):
            states = list(by_size[size].values())
            by_size[size].clear()
            if beam is not None:
                states = sorted(states, key=lambda s: (s.peak_bytes, s.live_bytes, s.crowd_bytes, s.done))[:beam]
            else:
                self.left -= len(states)
                allowance -= len(states)
                if allowance < 0:
                    self._gave_up = True
                    return None
            for state in states:
                for k in _members(state.ready):
                    new = self.run(state, k, part)
                    if budget is not None and new.peak_bytes > budget:
                        self._least_dropped = min(self._least_dropped, new.peak_bytes)
                        continue
                    higher = budget is None and new.peak_bytes > state.peak_bytes
                    asked = new.ready if higher else new.ready & self.near[k]
                    new = self._settled(new, part, budget, asked, state.live_bytes)
                    following = by_size[(new.done & part).bit_count()]
                    known = following.get(new.done)
                    if known is None or _rank(new, budget) < _rank(known, budget):
                        following[new.done] = new
        return by_size[-1].get(start.done | part)

    def _settled(self, state: _State, part: int, budget: int | None, todo: int, floor: int) -> _State:
        """`state` after all chains that never hurt: they leave no more alive, and make no peak that matters.

        Only those of `todo` are asked, and more where that could have changed; all of them once less than `floor` is alive.
        """
        while todo:
            k = (todo & -todo).bit_length() - 1
            todo &= todo - 1
            new = self.run(state, k, part)
            if new.live_bytes <= state.live_bytes and new.peak_bytes <= (
                state.peak_bytes if budget is None else budget
            ):
                state = new
                todo = (todo | self.near[k]) & state.ready
                if state.live_bytes < floor:
                    floor, todo = state.live_bytes, state.ready
        return state

    def run(self, state: _State, first: int, part: int) -> _State:
        """The state after the chain that begins with task `first`."""
        done, live, peak, crowd = state.done, state.live_bytes, state.peak_bytes, state.crowd_bytes
        chain = self.chains[first]
        for k in chain:
            makes, frees = self.makes[k], self.frees[k]
            made = self.made[k]
            if makes:
                there = done | self.exists
                made += sum([bytes_ for bytes_, makers in makes if not makers & there])
            live += made
            high = live
            done |= 1 << k
            shared = 0
            for bytes_, users, over in frees:
                if not users & ~done:
                    live -= bytes_
                    if over > shared:
                        shared = over
            high -= min(shared, made)
            crowd += high
            if high > peak:
                peak = high
        ready = state.ready & ~(1 << first)
        for k in self.followers[chain[-1]]:
            head = self.first_of[k]
            if part >> head & 1 and not self.waits_for[head] & ~done:
                ready |= 1 << head
        return _State(done, ready, live, peak, crowd, (chain, state))

    def _simple_bound(self, start: _State, part: int) -> int:
        """What each task touches is there while it runs, and so is what outlives the part; both ends count too."""
        there = start.done | self.exists
        alive = {b for b, makers in enumerate(self.makers) if makers & there and self.users[b] & ~start.done}
        kept = {b for b in alive if self.users[b] & ~(start.done | part)}
        bound = start.live_bytes
        for k in _members(part):
            over = max(self.overwrites[k].values(), default=0)
            touched = self._sum(b for b in self.touches[k] if b not in kept)
            bound = max(bound, self._sum(kept) + touched - min(over, self._sum(self.makes_of[k])))
        return bound

    def _sum(self, buffers: Iterable[int]) -> int:
        return sum(self.bytes[b] for b in buffers)


def _bits(members: Collection[int]) -> int:
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


def _rank(state: _State, budget: int | None) -> tuple[int, int]:
    """Less is better; any peak within a budget is as good as another."""
    return state.peak_bytes if budget is None else 0, state.crowd_bytes


def _path(state: _State) -> list[int]:
    found: list[Sequence[int]] = []
    while state.path:
        chain, state = state.path
        found.append(chain)
    return [k for chain in reversed(found) for k in chain]
