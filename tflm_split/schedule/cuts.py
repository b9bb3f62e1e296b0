"""Where to stream depth-first and where to stop and let tensors become whole: exact, for a given order of operators.

The order is cut into groups of consecutive operators. Within a group rows stream (`streaming.py`); what crosses a cut is
whole there. The live memory of a group depends on its two ends only, so the best cuts are a minimax path:
`best[j] = min over i of max(best[i], peak(i, j))`. A stock operator is a group of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tflm_split.schedule.step_graph import StepGraph, node_dependencies
from tflm_split.schedule.streaming import streaming_order

MAX_GROUP_STEPS = 40_000
"""Groups of more steps are not tried; bounds the work on very large models (a count, not a clock)."""

FLOOR_EVERY = 4
"""After how many groups with the same end to ask whether larger ones can still be better."""

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Schedule:
    """An order of all needed steps, the operator order and cuts it came from, and its live peak in bytes."""

    nodes: tuple[int, ...]
    cuts: tuple[int, ...]
    """Start of each group in `nodes`; the first is 0."""
    steps: tuple[int, ...]
    live_peak_bytes: int

    def groups(self) -> list[tuple[int, ...]]:
        """Nodes between two cuts, group after group."""
        return groups(self.nodes, self.cuts)


def groups(nodes: Sequence[int], cuts: Sequence[int]) -> list[tuple[int, ...]]:
    """`nodes` divided at `cuts`, the first of which is 0 (there are none when there are no nodes)."""
    return [tuple(nodes[start:stop]) for start, stop in zip(cuts, (*cuts[1:], len(nodes)), strict=True)]


class _Table:
    """Entries of `columns` numbers, several per step, to be looked up for many steps at once."""

    def __init__(self, entries: Sequence[Sequence[tuple[int, ...]]], columns: int) -> None:
        self.count: Ints = np.array([len(e) for e in entries], dtype=np.int64)
        self.first: Ints = np.cumsum(self.count) - self.count
        flat = [entry for found in entries for entry in found]
        self.columns: Ints = np.array(flat, dtype=np.int64).reshape(len(flat), columns).T

    def of(self, steps: Ints) -> tuple[Ints, Ints]:
        """Position in `steps` and columns of every entry of `steps`, in their order."""
        count = self.count[steps]
        at = np.repeat(np.arange(len(steps)), count)
        within = np.arange(len(at)) - np.repeat(np.cumsum(count) - count, count)
        return at, self.columns[:, self.first[steps][at] + within]


class _Costs:
    """Live peaks of groups [i, j) of one operator order, for one j at a time."""

    def __init__(self, step_graph: StepGraph, nodes: Sequence[int]) -> None:
        self.graph = step_graph
        self.nodes = list(nodes)
        self.rank = {n: k for k, n in enumerate(self.nodes)}
        pieces = step_graph.pieces
        count = len(self.nodes)
        self.bytes: Ints = np.array([p.bytes for p in pieces], dtype=np.int64)
        self.first = np.full(len(pieces), count + 1, dtype=np.int64)
        """Rank of the node that first writes a piece; -1 for what exists at the start."""
        self.last = np.full(len(pieces), -1, dtype=np.int64)
        """Rank of the last node that reads or writes it; count + 1 for what must survive."""
        for p in range(len(pieces)):
            made, read = (
                [self.rank[step_graph.steps[s].node] for s in of[p] if s in step_graph.needed]
                for of in (step_graph.producers, step_graph.readers)
            )
            if p in step_graph.initial:
                self.first[p] = -1
            elif made:
                self.first[p] = min(made)
            self.last[p] = count + 1 if p in step_graph.final else max([*made, *read], default=-1)
        steps = step_graph.steps
        self.dependencies = node_dependencies(step_graph)
        self.rank_of_step: Ints = np.array([self.rank[s.node] for s in steps], dtype=np.int64)
        self.reads = _Table([[(p,) for p in s.reads] for s in steps], 1)
        self.writes = _Table([[(p,) for p in s.writes] for s in steps], 1)
        self.pairs = _Table([[(o.read, o.written, o.shared_bytes) for o in s.overlaps] for s in steps], 3)

    def whole_at(self, storages: AbstractSet[int]) -> set[int]:
        """Where a cut would make a row of `storages` wait for a later group."""
        crossed: set[int] = set()
        for p, piece in enumerate(self.graph.pieces):
            if piece.storage in storages and self.first[p] <= len(self.nodes):
                crossed.update(range(int(self.first[p]) + 1, min(int(self.last[p]), len(self.nodes)) + 1))
        return crossed - {len(self.nodes)}

    def prepare(self, i: int, j: int) -> None:
        """Flatten the streaming order of nodes [i, j) into arrays; groups [k, j) with k >= i can then be asked about."""
        order = np.array(streaming_order(self.graph, self.nodes[i:j], self.dependencies), dtype=np.int64)
        self.length = len(order)
        self.step_rank = self.rank_of_step[order]
        self.read_at, (self.read_piece,) = self.reads.of(order)
        # reversed: with duplicates the last assignment wins, so the first write of a piece is what remains
        at, (piece,) = self.writes.of(order)
        self.write_at, self.write_piece = at[::-1], piece[::-1]
        self.read_rank, self.write_rank = self.step_rank[self.read_at], self.step_rank[self.write_at]
        self.pair_at, (self.pair_read, self.pair_write, self.pair_shared) = self.pairs.of(order)

    def peak(self, i: int, j: int) -> int:
        """Most bytes live at any step of group [i, j); what was prepared must start at `i` or before and end at `j`."""
        start, stop, born = self._lives(i)
        present = (self.first < i) & (self.last >= i)
        dies = (present | born) & (self.last < j) & (stop >= 0)
        change = np.zeros(self.length + 2, dtype=np.int64)
        change[0] = self.bytes[present].sum()
        new = born & ~present  # a row written in parts may be there since an earlier group
        np.add.at(change, start[new], self.bytes[new])
        return self._most(change, start, stop, dies)

    def floor(self, i: int, j: int) -> int:
        """Bytes that every group [h, j) with h <= i has live at some step of the nodes from `i` on.

        Those steps have the same order in all of these groups. A row made before `i` is there for sure only between
        the first and the last of them that reads it.
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
        """Of each piece, for the nodes from `i` on: where it is first written and last touched (-1: never); if written."""
        n = len(self.bytes)
        start = np.full(n, -1, dtype=np.int64)
        mask = self.write_rank >= i
        start[self.write_piece[mask]] = self.write_at[mask]
        stop = np.full(n, -1, dtype=np.int64)
        stop[self.write_piece[mask][::-1]] = self.write_at[mask][::-1]  # a row in parts may be read by nobody
        mask = self.read_rank >= i
        read = np.full(n, -1, dtype=np.int64)
        read[self.read_piece[mask]] = self.read_at[mask]
        return start, np.maximum(stop, read), start >= 0

    def _most(self, change: Ints, start: Ints, stop: Ints, dies: npt.NDArray[np.bool_]) -> int:
        """The highest level after `change`, deaths and overlaps."""
        np.add.at(change, stop[dies] + 1, -self.bytes[dies])
        if len(self.pair_at):
            usable = dies[self.pair_read] & (stop[self.pair_read] == self.pair_at)
            usable &= start[self.pair_write] == self.pair_at
            # One dying row per step is run over, the first in the step's list: positions are sorted, take the first each.
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
) -> Schedule:
    """The schedule of least live peak among all cuts of the operator order `nodes`; ties go to shorter groups.

    Storages of `streamed` are made and read within one group; where no cuts keep to that, they may be whole after all.
    """
    costs = _Costs(step_graph, nodes)
    forbidden = costs.whole_at(streamed) if streamed else set()
    count = len(nodes)
    earliest = _earliest_starts(step_graph, nodes, stock)
    best = [0] * (count + 1)
    cut = [0] * (count + 1)
    for j in range(1, count + 1):
        best[j] = -1
        if j in forbidden:
            continue
        low = earliest[j]
        costs.prepare(low, j)
        asked = 0
        for i in range(j - 1, low - 1, -1):
            if best[i] < 0 or (best[j] >= 0 and best[i] >= best[j]):
                continue
            peak = max(best[i], costs.peak(i, j))
            if best[j] < 0 or peak < best[j]:
                best[j], cut[j] = peak, i
            asked += 1
            if asked % FLOOR_EVERY == 0 and costs.floor(i, j) >= best[j]:
                break
    if best[count] < 0:
        return best_cuts(step_graph, nodes, stock)
    cuts: list[int] = []
    j = count
    while j > 0:
        j = cut[j]
        cuts.append(j)
    cuts.reverse()
    order = [s for group in groups(nodes, cuts) for s in streaming_order(step_graph, group, costs.dependencies)]
    return Schedule(tuple(nodes), tuple(cuts), tuple(order), best[count])


def _earliest_starts(step_graph: StepGraph, nodes: Sequence[int], stock: frozenset[int]) -> list[int]:
    """By end of a group: where it may start at the earliest."""
    earliest = [0]
    for j in range(1, len(nodes) + 1):
        start, steps = j - 1, 0
        for i in range(j - 1, -1, -1):
            steps += len(step_graph.steps_of[nodes[i]])
            alone = nodes[i] in stock or nodes[j - 1] in stock
            if j - i > 1 and (alone or steps > MAX_GROUP_STEPS):
                break
            start = i
        earliest.append(start)
    return earliest
