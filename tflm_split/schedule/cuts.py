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

from tflm_split.schedule.step_graph import StepGraph
from tflm_split.schedule.streaming import streaming_order

MAX_GROUP_STEPS = 40_000
"""Groups of more steps are not tried; bounds the work on very large models (a count, not a clock)."""

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Schedule:
    """An order of all needed steps, the operator order and cuts it came from, and its live peak in bytes."""

    nodes: tuple[int, ...]
    cuts: tuple[int, ...]
    """Start of each group in `nodes`; the first is 0."""
    steps: tuple[int, ...]
    live_peak_bytes: int


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
        """Rank of the last node that reads it; count + 1 for what must survive."""
        for p in range(len(pieces)):
            ranks = [self.rank[step_graph.steps[s].node] for s in step_graph.producers[p] if s in step_graph.needed]
            if p in step_graph.initial:
                self.first[p] = -1
            elif ranks:
                self.first[p] = min(ranks)
            ranks = [self.rank[step_graph.steps[s].node] for s in step_graph.readers[p] if s in step_graph.needed]
            self.last[p] = count + 1 if p in step_graph.final else max(ranks, default=-1)

    def whole_at(self, storages: AbstractSet[int]) -> set[int]:
        """Where a cut would make a row of `storages` wait for a later group."""
        crossed: set[int] = set()
        for p, piece in enumerate(self.graph.pieces):
            if piece.storage in storages and self.first[p] <= len(self.nodes):
                crossed.update(range(int(self.first[p]) + 1, min(int(self.last[p]), len(self.nodes)) + 1))
        return crossed - {len(self.nodes)}

    def order(self, j: int) -> list[int]:
        return streaming_order(self.graph, self.nodes[:j])

    def prepare(self, j: int) -> None:
        """Flatten the streaming order of the first j nodes into arrays."""
        order = self.order(j)
        steps = self.graph.steps
        self.length = len(order)
        at: list[int] = []
        read_piece: list[int] = []
        read_rank: list[int] = []
        write_at: list[int] = []
        write_piece: list[int] = []
        write_rank: list[int] = []
        pair_at: list[int] = []
        pair_read: list[int] = []
        pair_write: list[int] = []
        pair_shared: list[int] = []
        for position, s in enumerate(order):
            step = steps[s]
            rank = self.rank[step.node]
            for p in step.reads:
                at.append(position)
                read_piece.append(p)
                read_rank.append(rank)
            for p in step.writes:
                write_at.append(position)
                write_piece.append(p)
                write_rank.append(rank)
            for overlap in step.overlaps:
                pair_at.append(position)
                pair_read.append(overlap.read)
                pair_write.append(overlap.written)
                pair_shared.append(overlap.shared_bytes)
        self.read_at, self.read_piece, self.read_rank = (
            np.array(x, dtype=np.int64) for x in (at, read_piece, read_rank)
        )
        # reversed: with duplicates the last assignment wins, so the first write of a piece is what remains
        self.write_at, self.write_piece, self.write_rank = (
            np.array(x[::-1], dtype=np.int64) for x in (write_at, write_piece, write_rank)
        )
        self.pair_shared = np.array(pair_shared, dtype=np.int64)
        self.pair_at = np.array(pair_at, dtype=np.int64)
        self.pair_read = np.array(pair_read, dtype=np.int64)
        self.pair_write = np.array(pair_write, dtype=np.int64)

    def peak(self, i: int, j: int) -> int:
        """Most bytes live at any step of group [i, j); `prepare(j)` must have been called."""
        n = len(self.bytes)
        start = np.full(n, -1, dtype=np.int64)
        present = (self.first < i) & (self.last >= i)
        base = int(self.bytes[present].sum())
        mask = self.write_rank >= i
        start[self.write_piece[mask]] = self.write_at[mask]
        born = start >= 0
        mask = self.read_rank >= i if len(self.read_at) else np.zeros(0, dtype=bool)
        stop = np.full(n, -1, dtype=np.int64)
        stop[self.read_piece[mask]] = self.read_at[mask]
        stop = np.maximum(stop, start)
        dies = (present | born) & (self.last < j) & (stop >= 0)
        change = np.zeros(self.length + 2, dtype=np.int64)
        np.add.at(change, start[born], self.bytes[born])
        np.add.at(change, stop[dies] + 1, -self.bytes[dies])
        if len(self.pair_at):
            usable = dies[self.pair_read] & (stop[self.pair_read] == self.pair_at) & born[self.pair_write]
            usable &= start[self.pair_write] == self.pair_at
            # One dying row per step is run over, the first in the step's list: positions are sorted, take the first each.
            at, first = np.unique(self.pair_at[usable], return_index=True)
            shared = self.pair_shared[usable][first]
            change[at] -= shared
            change[at + 1] += shared
        return base + int(np.cumsum(change).max(initial=0))


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
    weight = [len(step_graph.steps_of[n]) for n in nodes]
    best = [0] * (count + 1)
    cut = [0] * (count + 1)
    for j in range(1, count + 1):
        best[j] = -1
        if j in forbidden:
            continue
        costs.prepare(j)
        steps_in_group = 0
        for i in range(j - 1, -1, -1):
            steps_in_group += weight[i]
            alone = nodes[i] in stock or nodes[j - 1] in stock
            if alone and j - i > 1:
                break
            if j - i > 1 and steps_in_group > MAX_GROUP_STEPS:
                break
            if best[i] < 0 or (best[j] >= 0 and best[i] >= best[j]):
                continue
            peak = max(best[i], costs.peak(i, j))
            if best[j] < 0 or peak < best[j]:
                best[j], cut[j] = peak, i
    if best[count] < 0:
        return best_cuts(step_graph, nodes, stock)
    cuts: list[int] = []
    j = count
    while j > 0:
        j = cut[j]
        cuts.append(j)
    cuts.reverse()
    order: list[int] = []
    for start, stop in zip(cuts, [*cuts[1:], count], strict=True):
        order.extend(streaming_order(step_graph, nodes[start:stop]))
    return Schedule(tuple(nodes), tuple(cuts), tuple(order), best[count])
