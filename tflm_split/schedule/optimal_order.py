"""In which order should tasks run that read and make buffers, so that the fewest bytes are alive at the worst moment?

A separator is a task with a fixed place: each other task comes before it in every order, or after it in every order. It ends
a part, and the parts run one after the other:

    a +- b -+ d +- e -+ g       separators a, d, g; parts a | b c d | e f g
      +- c -+   +- f -+

Each part is solved by a dynamic programme over sets of executed tasks (Serenity, arXiv 2003.02369). Three rules keep the
number of sets small.

* Sets that need more bytes than a budget are dropped. The budget lies between the lower bound and the best known peak. If
  no order is within it, the lower bound rises. If there are too many sets, the next budget is nearer to the best peak.
* A task that frees at least as much as it makes runs as soon as the budget allows.
* A task that makes at least as much as it frees runs right before the only task that needs it.

The last two rules never raise the peak, because the bytes alive are a submodular function of the set of executed tasks.
Parts that are too big keep the order of a beam search. The lower bound then says how far from the optimum it can be.

Tasks and buffers are all this file knows of; neural networks do not occur in it.
"""

from __future__ import annotations

import ctypes
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from tflm_split.native.loops import native
from tflm_split.schedule.part_arrays import PartArrays

DEFAULT_STATES = 200_000
"""Sets of executed tasks that one call may look at, those of the beam search not counted."""
DEFAULT_BEAM = 48
"""Sets of each size that the beam search keeps."""
NEAR_BEST = 8
"""Each budget lies 1/8 of the gap between lower bound and best peak below the best peak: the beam is seldom far off."""


@dataclass(frozen=True, slots=True)
class Task:
    """A task that reads and makes buffers.

    `needs`: tasks that must come first. `makes`: buffers that exist from here on; several tasks may make the same buffer,
    which exists from the first of them on. `overwrites`: buffer -> how many of its bytes the task may write in place if the
    buffer dies here. Those bytes count once.
    """

    needs: frozenset[int]
    reads: frozenset[int]
    makes: frozenset[int]
    overwrites: Mapping[int, int] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class OrderProblem:
    """Tasks, and the size of each buffer in bytes. `initial` buffers exist at the start, `final` ones are kept to the end."""

    tasks: tuple[Task, ...]
    bytes: tuple[int, ...]
    initial: frozenset[int] = frozenset()
    final: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Order:
    """Tasks in order, the peak of that order, and a lower bound on the peak of every order. Equal if this one is optimal."""

    tasks: tuple[int, ...]
    peak_bytes: int
    lower_bound_bytes: int


class _State(NamedTuple):
    """What is left of an order of some tasks. Millions of these are made, so it is a tuple."""

    done: int
    """Tasks that have run, as bits."""
    ready: int
    """Chains that can run next, as the bits of their first tasks."""
    live_bytes: int
    peak_bytes: int
    live_sum_bytes: int = 0
    """Bytes alive while each task ran, summed over tasks. Of orders with the same peak, the smallest sum is best."""
    path: tuple[Sequence[int], _State] | None = None
    """The last chain that ran, and the state before it. None at the start."""


def least_live_order(
    problem: OrderProblem, states: int = DEFAULT_STATES, beam: int = DEFAULT_BEAM, use_native: bool = True
) -> Order:
    """An order of least peak, or the best one within reach of `states` sets and a beam of `beam`. Deterministic."""
    search = _Search(problem, states, native() if use_native else None)
    live = sum(problem.bytes[b] for b in problem.initial)
    tasks: list[int] = []
    done, peak, bound = 0, live, live
    for part in search.parts:
        # The part starts with a peak of its own. The peak so far is the same for every order of this part.
        start = _State(done, search.ready(done, part), live, live)
        end, part_bound = search.solve(start, part, beam)
        bound, peak = max(bound, part_bound), max(peak, end.peak_bytes)
        done, live = end.done, end.live_bytes
        tasks += _path(end)
    return Order(tuple(tasks), peak, bound)


class _Search:
    """A problem, with sets of tasks as bits of an integer, and the number of sets that may still be looked at."""

    def __init__(self, problem: OrderProblem, states: int, library: ctypes.CDLL | None) -> None:
        self.states_left = states
        self._library = library
        self._parts_in_c: dict[int, PartArrays] = {}
        self.bytes = problem.bytes
        count = len(problem.tasks)
        self.needs = [_bits(t.needs) for t in problem.tasks]
        self.makes_of = [tuple(sorted(t.makes)) for t in problem.tasks]
        self.overwrites = [{b: n for b, n in t.overwrites.items() if b not in t.makes} for t in problem.tasks]
        self.makers = [1 << count if b in problem.initial else 0 for b in range(len(problem.bytes))]
        """By buffer: the tasks that make it, as bits. A buffer that exists at the start has one more bit, `start_bit`."""
        self.users = [1 << count if b in problem.final else 0 for b in range(len(problem.bytes))]
        """By buffer: the tasks that read or make it, as bits. A buffer that is kept has one more bit, which no task has."""
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
        self.start_bit = 1 << count
        """Stands for the start among the bits of makers: always counted as done."""
        self.parts = self._parts()
        self.chains = self._chains()
        self.first_of = {k: first for first, chain in self.chains.items() for k in chain}
        self.waits_for = {
            first: _bits(frozenset().union(*(problem.tasks[k].needs for k in chain)) - frozenset(chain))
            for first, chain in self.chains.items()
        }
        """By chain: tasks that must run before it, as bits."""
        sizes, makers, users = self.bytes, self.makers, self.users
        self.made = [self._sum(b for b in m if makers[b] == 1 << k) for k, m in enumerate(self.makes_of)]
        """By task: bytes of the buffers that it alone makes."""
        self.makes = [[(sizes[b], makers[b]) for b in m if makers[b] != 1 << k] for k, m in enumerate(self.makes_of)]
        """By task: (bytes, makers) of the buffers that other tasks make, too."""
        self.frees = [
            [(sizes[b], users[b], over.get(b, 0)) for b in touched]
            for touched, over in zip(self.touches, self.overwrites, strict=True)
        ]
        """By task: (bytes, users, bytes that may be written in place) of each buffer that may die with it."""
        self.affected = self._affected_chains()

    def _parts(self) -> tuple[int, ...]:
        """The parts, as bits, in the order in which they run. Each but the last ends with a separator."""
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
        self.separators = {k for k in range(count) if (before[k] | after[k]).bit_count() == count - 1}
        parts = []
        seen = 0
        for k in sorted(self.separators, key=lambda k: before[k].bit_count()):
            parts.append((before[k] | 1 << k) & ~seen)
            seen |= parts[-1]
        rest = ((1 << count) - 1) & ~seen
        return (*parts, rest) if rest else tuple(parts)

    def _chains(self) -> dict[int, list[int]]:
        """First task -> a chain: tasks that run one right after the other in some best order.

        Every task but the last makes at least as much as it frees, so it waits until its only follower runs.
        """
        chain_to: dict[int, list[int]] = {}
        """By last task. A chain moves to another key when its follower takes it in."""
        for k in _topological(self.needs):
            waiting = [d for d in _members(self.needs[k]) if d in chain_to and self.followers[d] == [k]]
            taken = [chain_to.pop(d) for d in waiting if d not in self.separators and self._may_wait(chain_to[d], k)]
            chain_to[k] = [*(d for chain in taken for d in chain), k]
        return {chain[0]: chain for chain in chain_to.values()}

    def _may_wait(self, chain: Sequence[int], follower: int) -> bool:
        """Whether running `chain` right before its only follower never raises the peak, whenever the follower runs.

        Two conditions are enough. The chain leaves at least as many bytes as it can free, so to wait costs nothing. And
        none of its tasks needs more bytes than the follower does.
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

    def _affected_chains(self) -> dict[int, int]:
        """Chain -> the chains whose effect may change once it has run: its followers, and those that share a buffer with it."""
        first_of = self.first_of
        touching: dict[int, int] = {}
        for k, touched in enumerate(self.touches):
            for b in touched:
                touching[b] = touching.get(b, 0) | 1 << first_of[k]
        affected = {}
        for first, chain in self.chains.items():
            affected[first] = _bits({first_of[k] for k in self.followers[chain[-1]]})
            for k in chain:
                for b in self.touches[k]:
                    affected[first] |= touching[b]
        return affected

    def ready(self, done: int, part: int) -> int:
        """Chains of `part` that can run next, as the bits of their first tasks."""
        return _bits([k for k in self.chains if part >> k & 1 and not done >> k & 1 and not self.waits_for[k] & ~done])

    def solve(self, start: _State, part: int, beam: int) -> tuple[_State, int]:
        """The best end state of `part` that the search reaches, and a lower bound on the peak of every order of the part."""
        best = self._explore(start, part, None, beam)
        assert best is not None
        low = self._simple_bound(start, part)
        allowed = low
        while allowed < best.peak_bytes and self.states_left > 0:
            # Sets above the budget are dropped. So an order that comes through is within the budget, and if none comes
            # through, no order is.
            budget = best.peak_bytes - 1 - (best.peak_bytes - allowed) // NEAR_BEST
            within_budget = self._explore(start, part, budget, None)
            if within_budget is not None:
                best = within_budget
            elif self._gave_up:
                allowed = budget + 1
            else:
                # A budget below the least peak that was dropped would drop the same sets.
                low = max(low, min(self._least_peak_dropped, best.peak_bytes))
                allowed = max(allowed, low)
        even = self._explore(start, part, best.peak_bytes, None) if self.states_left > 0 else None
        if even is not None and even.live_sum_bytes < best.live_sum_bytes:
            best = even
        return best, min(low, best.peak_bytes)

    def _explore(self, start: _State, part: int, budget: int | None, beam: int | None) -> _State | None:
        """The end state of the dynamic programme: of least peak, or with a `budget` any peak within it.

        A `beam` keeps only so many sets of each size. Without a beam, the result is None when no order is within the budget,
        or when too many sets would have to be looked at (`_gave_up`).
        """
        self._gave_up = False
        self._least_peak_dropped = sum(self.bytes)
        if self._library is not None:
            return self._explore_in_c(self._library, start, part, budget, beam)
        allowance = max(self.states_left // 2, min(self.states_left, 1000))
        by_size: list[dict[int, _State]] = [{} for _ in range(part.bit_count() + 1)]
        first = self._after_harmless_chains(start, part, budget, start.ready, 0)
        by_size[(first.done & part).bit_count()][first.done] = first
        for size in range(part.bit_count()):
            states = list(by_size[size].values())
            by_size[size].clear()
            if beam is not None:
                states = sorted(states, key=lambda s: (s.peak_bytes, s.live_bytes, s.live_sum_bytes, s.done))[:beam]
            else:
                self.states_left -= len(states)
                allowance -= len(states)
                if allowance < 0:
                    self._gave_up = True
                    return None
            for state in states:
                for k in _members(state.ready):
                    new = self.run(state, k, part)
                    if budget is not None and new.peak_bytes > budget:
                        self._least_peak_dropped = min(self._least_peak_dropped, new.peak_bytes)
                        continue
                    higher = budget is None and new.peak_bytes > state.peak_bytes
                    to_check = new.ready if higher else new.ready & self.affected[k]
                    new = self._after_harmless_chains(new, part, budget, to_check, state.live_bytes)
                    following = by_size[(new.done & part).bit_count()]
                    known = following.get(new.done)
                    if known is None or _rank(new, budget) < _rank(known, budget):
                        following[new.done] = new
        return by_size[-1].get(start.done | part)

    def _explore_in_c(
        self, library: ctypes.CDLL, start: _State, part: int, budget: int | None, beam: int | None
    ) -> _State | None:
        """The same in C."""
        if part not in self._parts_in_c:
            self._parts_in_c[part] = self._arrays(start.done, part)
        explored = self._parts_in_c[part].explore(
            library, start.ready, (start.live_bytes, start.peak_bytes, start.live_sum_bytes), budget, beam,
            self.states_left, self._least_peak_dropped,
        )  # fmt: skip
        self.states_left = explored.states_left
        self._gave_up, self._least_peak_dropped = explored.gave_up, explored.least_peak_dropped
        if explored.heads is None:
            return None
        tasks = [k for head in explored.heads for k in self.chains[head]]
        return _State(start.done | part, 0, *explored.bytes, (tasks, start))

    def _arrays(self, done: int, part: int) -> PartArrays:
        """The tasks of `part` once those of `done` have run. What can never die in it, or is there already, is left out."""
        there = done | self.start_bit
        members = _members(part)
        makes = {k: [(size, who & part) for size, who in self.makes[k] if not who & there] for k in members}
        frees = {
            k: [(size, over, who & part) for size, who, over in self.frees[k] if not who & ~done & ~part]
            for k in members
        }
        chains = {k: self.chains[k] for k in members if k in self.chains}
        return PartArrays(
            members=members,
            chains=chains,
            made={k: self.made[k] for k in members},
            makes=makes,
            frees=frees,
            heads={
                k: [h for h in map(self.first_of.get, self.followers[links[-1]]) if h in chains]
                for k, links in chains.items()
            },
            waits={k: self.waits_for[k] & part for k in chains},
            affected={k: self.affected[k] & part for k in chains},
        )

    def _after_harmless_chains(self, state: _State, part: int, budget: int | None, todo: int, floor: int) -> _State:
        """`state` after all harmless chains have run. They leave no more bytes alive and do not raise the peak that counts.

        Only the chains of `todo` are checked, and those that a harmless chain affects. All ready chains are checked as soon
        as fewer than `floor` bytes are alive.
        """
        while todo:
            k = (todo & -todo).bit_length() - 1
            todo &= todo - 1
            new = self.run(state, k, part)
            if new.live_bytes <= state.live_bytes and new.peak_bytes <= (
                state.peak_bytes if budget is None else budget
            ):
                state = new
                todo = (todo | self.affected[k]) & state.ready
                if state.live_bytes < floor:
                    floor, todo = state.live_bytes, state.ready
        return state

    def run(self, state: _State, first: int, part: int) -> _State:
        """The state after the chain that begins with task `first`."""
        done, live, peak, live_sum = state.done, state.live_bytes, state.peak_bytes, state.live_sum_bytes
        chain = self.chains[first]
        for k in chain:
            makes, frees = self.makes[k], self.frees[k]
            made = self.made[k]
            if makes:
                there = done | self.start_bit
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
            live_sum += high
            if high > peak:
                peak = high
        ready = state.ready & ~(1 << first)
        for k in self.followers[chain[-1]]:
            head = self.first_of[k]
            if part >> head & 1 and not self.waits_for[head] & ~done:
                ready |= 1 << head
        return _State(done, ready, live, peak, live_sum, (chain, state))

    def _simple_bound(self, start: _State, part: int) -> int:
        """A lower bound on the peak of `part`.

        While a task runs, the buffers it touches are alive, and so are those that outlive the part. What lives at the start
        counts, too.
        """
        there = start.done | self.start_bit
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
    """A set of small numbers as the bits of one integer."""
    return sum(1 << m for m in members)


def _members(bits: int) -> tuple[int, ...]:
    """The numbers whose bits are set, in order."""
    members = []
    while bits:
        lowest = bits & -bits
        members.append(lowest.bit_length() - 1)
        bits ^= lowest
    return tuple(members)


def _topological(needs: Sequence[int]) -> list[int]:
    """Tasks in an order in which each comes after all it needs."""
    order: list[int] = []
    done = 0
    while len(order) < len(needs):
        ready = [k for k in range(len(needs)) if not done >> k & 1 and not needs[k] & ~done]
        assert ready, "tasks wait for each other"
        order += ready
        done |= _bits(ready)
    return order


def _rank(state: _State, budget: int | None) -> tuple[int, int]:
    """Sort key, less is better: peak, then bytes alive over time. With a budget, all peaks within it are equal."""
    return state.peak_bytes if budget is None else 0, state.live_sum_bytes


def _path(state: _State) -> list[int]:
    """The tasks that led to `state`, in order."""
    chains: list[Sequence[int]] = []
    while state.path:
        chain, state = state.path
        chains.append(chain)
    return [k for chain in reversed(chains) for k in chain]
