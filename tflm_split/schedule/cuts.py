"""Where do rows stream, and where do tensors become whole? Exact, for a given order of operators.

Cuts divide the order into groups of consecutive operators. Within a group rows stream (`streaming.py`). A tensor that
crosses a cut is whole there:

    operators   a   b | c   d   e | f         cuts before c and f: three groups
    tensors       ~   #   ~   ~   #           ~ some rows live at a time, # the whole tensor lives

A stock operator is a group of its own. The live memory of a group [i, j) depends on i and j only. So the best cuts are a
minimax path: `best[j] = min over i of max(best[i], peak(i, j))`.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tflm_split.native.loops import native, pointer
from tflm_split.schedule.step_arrays import arrays_of
from tflm_split.schedule.step_graph import StepGraph, node_dependencies
from tflm_split.schedule.streaming import streaming_order

MAX_GROUP_STEPS = 40_000
"""Groups of more steps are not tried. This bounds the work on very large models, by a count and not by a clock."""

FLOOR_EVERY = 4
"""After each of so many groups with the same end, a lower bound says whether longer ones could still be better."""

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Schedule:
    """An order of all needed steps, with the operator order and the cuts that it came from."""

    nodes: tuple[int, ...]
    cuts: tuple[int, ...]
    """Position in `nodes` where each group starts. The first one is 0."""
    steps: tuple[int, ...]
    live_peak_bytes: int

    def groups(self) -> list[tuple[int, ...]]:
        """The nodes of each group, in order."""
        return groups(self.nodes, self.cuts)


def groups(nodes: Sequence[int], cuts: Sequence[int]) -> list[tuple[int, ...]]:
    """`nodes` divided at `cuts`. The first cut is 0; without nodes there are no cuts."""
    return [tuple(nodes[start:stop]) for start, stop in zip(cuts, (*cuts[1:], len(nodes)), strict=True)]


class _Table:
    """A list of entries for each step, looked up for many steps at once. Each entry has `columns` numbers."""

    def __init__(self, entries: Sequence[Sequence[tuple[int, ...]]], columns: int) -> None:
        self.count: Ints = np.array([len(e) for e in entries], dtype=np.int64)
        self.first: Ints = np.cumsum(self.count) - self.count
        flat = [entry for of_step in entries for entry in of_step]
        self.columns: Ints = np.array(flat, dtype=np.int64).reshape(len(flat), columns).T

    def of(self, steps: Ints) -> tuple[Ints, Ints]:
        """All entries of `steps`, in their order: the position in `steps` of each, and its numbers, one row per column."""
        count = self.count[steps]
        at = np.repeat(np.arange(len(steps)), count)
        within = np.arange(len(at)) - np.repeat(np.cumsum(count) - count, count)
        return at, self.columns[:, self.first[steps][at] + within]


class _Costs:
    """The live peaks of groups [i, j) of one operator order. `prepare` fixes the end j, then `peak` takes any start i."""

    def __init__(self, step_graph: StepGraph, nodes: Sequence[int]) -> None:
        self.graph = step_graph
        self.nodes = list(nodes)
        arrays, count = arrays_of(step_graph), len(self.nodes)
        self.bytes: Ints = arrays.array("bytes")
        self.rank_of_node = np.zeros(step_graph.nodes, dtype=np.int64)
        self.rank_of_node[self.nodes] = np.arange(count)
        self.rank_of_step: Ints = self.rank_of_node[arrays.array("node")]
        self.first = np.full(arrays.pieces, count + 1, dtype=np.int64)
        """By piece: rank of the first node that writes it, -1 if it exists at the start."""
        self.last = np.full(arrays.pieces, -1, dtype=np.int64)
        """By piece: rank of the last node that reads or writes it, count + 1 if it must survive."""
        needed = arrays.array("needed") != 0
        for lists, values in (("first_write", "writes"), ("first_read", "reads")):
            per_step = np.diff(arrays.array(lists))
            counts, ranks = np.repeat(needed, per_step), np.repeat(self.rank_of_step, per_step)
            touched = arrays.array(values)[counts]
            np.maximum.at(self.last, touched, ranks[counts])
            if values == "writes":
                np.minimum.at(self.first, touched, ranks[counts])
        self.first[arrays.array("initial") != 0] = -1
        self.last[arrays.array("final") != 0] = count + 1

    def flatten(self) -> None:
        """Make the tables that `prepare` looks up."""
        steps = self.graph.steps
        self.dependencies = node_dependencies(self.graph)
        self.reads = _Table([[(p,) for p in s.reads] for s in steps], 1)
        self.writes = _Table([[(p,) for p in s.writes] for s in steps], 1)
        self.pairs = _Table([[(o.read, o.written, o.shared_bytes) for o in s.overlaps] for s in steps], 3)

    def whole_at(self, storages: AbstractSet[int]) -> set[int]:
        """Positions where a cut would make a row of `storages` live on into a later group."""
        crossed: set[int] = set()
        for p, piece in enumerate(self.graph.pieces):
            if piece.storage in storages and self.first[p] <= len(self.nodes):
                crossed.update(range(int(self.first[p]) + 1, min(int(self.last[p]), len(self.nodes)) + 1))
        return crossed - {len(self.nodes)}

    def prepare(self, i: int, j: int) -> None:
        """Flatten the streaming order of nodes [i, j) into arrays, for `peak` and `floor` of groups [k, j) with k >= i."""
        order = np.array(streaming_order(self.graph, self.nodes[i:j], self.dependencies, False), dtype=np.int64)
        self.length = len(order)
        self.step_rank = self.rank_of_step[order]
        self.read_at, (self.read_piece,) = self.reads.of(order)
        # Reversed, because the last of several assignments wins in numpy. So the first write of a piece remains.
        at, (piece,) = self.writes.of(order)
        self.write_at, self.write_piece = at[::-1], piece[::-1]
        self.read_rank, self.write_rank = self.step_rank[self.read_at], self.step_rank[self.write_at]
        self.pair_at, (self.pair_read, self.pair_write, self.pair_shared) = self.pairs.of(order)

    def peak(self, i: int, j: int) -> int:
        """Most bytes live at any step of group [i, j). `prepare` must have been called with this j and an i no larger."""
        start, stop, born = self._lives(i)
        present = (self.first < i) & (self.last >= i)
        dies = (present | born) & (self.last < j) & (stop >= 0)
        change = np.zeros(self.length + 2, dtype=np.int64)
        change[0] = self.bytes[present].sum()
        new = born & ~present  # a row that is written in parts may have been born in an earlier group
        np.add.at(change, start[new], self.bytes[new])
        return self._most(change, start, stop, dies)

    def floor(self, i: int, j: int) -> int:
        """A lower bound on the peak of every group [h, j) with h <= i, from the steps of nodes [i, j) alone.

        Those steps have the same order in all of these groups. A row that an earlier node makes counts only between the
        first and the last of those steps that read it: before, it might not exist yet.
        """
        start, stop, _ = self._lives(i)
        mask = (self.read_rank >= i)[::-1]
        piece = self.read_piece[::-1][mask]
        read = np.full(len(self.bytes), self.length, dtype=np.int64)
        read[piece] = self.read_at[::-1][mask]
        from_ = np.where(start >= 0, start, read)
        there = from_ < self.length
        change = np.zeros(self.length + 2, dtype=np.int64)
        np.add.at(change, from_[there], self.bytes[there])
        return self._most(change, start, stop, there & (self.last < j))

    def _lives(self, i: int) -> tuple[Ints, Ints, npt.NDArray[np.bool_]]:
        """(Position of the first write, position of the last access, whether written) by piece, for steps of nodes [i, j).

        A position is -1 where there is no such step.
        """
        n = len(self.bytes)
        start = np.full(n, -1, dtype=np.int64)
        mask = self.write_rank >= i
        start[self.write_piece[mask]] = self.write_at[mask]
        stop = np.full(n, -1, dtype=np.int64)
        stop[self.write_piece[mask][::-1]] = self.write_at[mask][
            ::-1
        ]  # perhaps no step reads a row that is written in parts
        mask = self.read_rank >= i
        read = np.full(n, -1, dtype=np.int64)
        read[self.read_piece[mask]] = self.read_at[mask]
        return start, np.maximum(stop, read), start >= 0

    def _most(self, change: Ints, start: Ints, stop: Ints, dies: npt.NDArray[np.bool_]) -> int:
        """The peak: `change` has the bytes born at each step, deaths and rows written in place are subtracted here."""
        np.add.at(change, stop[dies] + 1, -self.bytes[dies])
        if len(self.pair_at):
            usable = dies[self.pair_read] & (stop[self.pair_read] == self.pair_at)
            usable &= start[self.pair_write] == self.pair_at
            # A step writes over one dying row at most, the first in its list. `np.unique` returns the first for each step.
            at, first = np.unique(self.pair_at[usable], return_index=True)
            shared = self.pair_shared[usable][first]
            change[at] -= shared
            change[at + 1] += shared
        return int(np.cumsum(change).max(initial=0))


def best_cuts(
    step_graph: StepGraph,
    nodes: Sequence[int],
    stock: frozenset[int],
    streamed: frozenset[int] = frozenset(),
    use_native: bool = True,
) -> Schedule:
    """The schedule of least live peak among all cuts of the operator order `nodes`. Of equals, groups are the shortest.

    No cut makes a storage of `streamed` whole, unless there is no other way to cut the order.
    """
    costs = _Costs(step_graph, nodes)
    forbidden = costs.whole_at(streamed) if streamed else set()
    count = len(nodes)
    earliest = _earliest_starts(step_graph, nodes, stock)
    library = native() if use_native else None
    if library is None:
        peak, cut = _cut_in_python(costs, count, earliest, forbidden)
    else:
        peak, cut = _cut_in_c(library, costs, earliest, forbidden)
    if peak < 0:
        return best_cuts(step_graph, nodes, stock, use_native=use_native)
    cuts: list[int] = []
    j = count
    while j > 0:
        j = cut[j]
        cuts.append(j)
    cuts.reverse()
    order = [s for group in groups(nodes, cuts) for s in streaming_order(step_graph, group, use_native=use_native)]
    return Schedule(tuple(nodes), tuple(cuts), tuple(order), peak)


def _cut_in_c(
    library: ctypes.CDLL, costs: _Costs, earliest: Sequence[int], forbidden: AbstractSet[int]
) -> tuple[int, list[int]]:
    """(Least peak, negative if no cuts are allowed; by end of a group: where the best one starts)."""
    nodes, starts = (np.array(values, dtype=np.int64) for values in (costs.nodes, earliest))
    cut = np.zeros(len(nodes) + 1, dtype=np.int64)
    banned = np.zeros(len(nodes) + 1, dtype=np.uint8)
    banned[list(forbidden)] = 1
    peak = library.tflm_split_best_cuts(
        arrays_of(costs.graph).reference, pointer(nodes), ctypes.c_int64(len(nodes)), pointer(costs.rank_of_node),
        pointer(costs.first), pointer(costs.last), pointer(starts), pointer(banned), ctypes.c_int64(FLOOR_EVERY),
        pointer(cut),
    )  # fmt: skip
    if peak < -1:
        raise MemoryError
    return peak, cut.tolist()


def _cut_in_python(
    costs: _Costs, count: int, earliest: Sequence[int], forbidden: AbstractSet[int]
) -> tuple[int, list[int]]:
    """The same in Python."""
    costs.flatten()
    best = [0] * (count + 1)
    cut = [0] * (count + 1)
    for j in range(1, count + 1):
        best[j] = -1
        if j in forbidden:
            continue
        low = earliest[j]
        costs.prepare(low, j)
        tried = 0
        for i in range(j - 1, low - 1, -1):
            if best[i] < 0 or (best[j] >= 0 and best[i] >= best[j]):
                continue
            peak = max(best[i], costs.peak(i, j))
            if best[j] < 0 or peak < best[j]:
                best[j], cut[j] = peak, i
            tried += 1
            if tried % FLOOR_EVERY == 0 and costs.floor(i, j) >= best[j]:
                break
    return best[count], cut


def _earliest_starts(step_graph: StepGraph, nodes: Sequence[int], stock: frozenset[int]) -> list[int]:
    """For each end of a group, the earliest start: stock operators stand alone, and a group has `MAX_GROUP_STEPS` at most."""
    earliest = [0]
    steps_of: list[int] = np.diff(arrays_of(step_graph).array("first_step")).tolist()
    for j in range(1, len(nodes) + 1):
        start, steps = j - 1, 0
        for i in range(j - 1, -1, -1):
            steps += steps_of[nodes[i]]
            alone = nodes[i] in stock or nodes[j - 1] in stock
            if j - i > 1 and (alone or steps > MAX_GROUP_STEPS):
                break
            start = i
        earliest.append(start)
    return earliest
