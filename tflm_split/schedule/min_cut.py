"""Which side of a minimum cut does each node lie on? Maximum flow by blocking flows (Dinic 1970), with integer capacities.

This file is about flow networks alone and knows nothing of neural networks. The loops run in C (`min_cut.c`, in the
package's host library). Where that library is missing they run in Python, which is slower and gives the same cuts.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field

import numpy as np

from tflm_split.native.loops import native, pointer

UNCUTTABLE = 1 << 60
"""Capacity of an arc that no minimum cut crosses."""


@dataclass(slots=True)
class FlowNetwork:
    """Nodes and arcs. Arcs come in pairs: arc a, and arc a ^ 1 for the way back. `room` is the capacity that is left."""

    nodes: int
    heads: list[int] = field(default_factory=list)
    room: list[int] = field(default_factory=list)

    def node(self) -> int:
        """Add a node and return its number."""
        self.nodes += 1
        return self.nodes - 1

    def arc(self, tail: int, head: int, capacity: int) -> None:
        """Add a one-way arc. An arc from a node to itself is left out."""
        if tail != head:
            self.heads += (head, tail)
            self.room += (capacity, 0)

    def minimum_cut(self, source: int, sink: int, use_native: bool = True) -> tuple[int, set[int], set[int]]:
        """(Capacity of a minimum cut, its smallest source side, its largest source side). Sides are sets of nodes."""
        library = native() if use_native else None
        if library is None:
            return _Flow(self).minimum_cut(source, sink)
        heads, room = np.array(self.heads, dtype=np.int64), np.array(self.room, dtype=np.int64)
        sides = np.empty((2, self.nodes), dtype=np.uint8)
        size = ctypes.c_int64(self.nodes), ctypes.c_int64(len(heads))
        ends = ctypes.c_int64(source), ctypes.c_int64(sink)
        flow: int = library.tflm_split_cheapest_cut(
            *size, pointer(heads), pointer(room), *ends, pointer(sides[0]), pointer(sides[1])
        )
        if flow < 0:
            raise MemoryError
        smallest, largest = (set(np.flatnonzero(side).tolist()) for side in sides)
        return flow, smallest, largest


class _Flow:
    """The loops of `min_cut.c` in Python."""

    def __init__(self, network: FlowNetwork) -> None:
        self.nodes, self.heads, self.room = network.nodes, network.heads, list(network.room)
        self.arcs_of: list[list[int]] = [[] for _ in range(self.nodes)]
        for a in range(len(self.heads)):
            self.arcs_of[self.heads[a ^ 1]].append(a)

    def minimum_cut(self, source: int, sink: int) -> tuple[int, set[int], set[int]]:
        """As `FlowNetwork.minimum_cut`."""
        flow = 0
        while True:
            level = self._levels(source, sink)
            if level[sink] < 0:
                break
            flow += self._blocking_flow(source, sink, level)
        smallest = {n for n in range(self.nodes) if level[n] >= 0}
        return flow, smallest, set(range(self.nodes)) - self._reaches(sink)

    def _levels(self, source: int, sink: int) -> list[int]:
        """Distance of each node from the source, in arcs that have room. -1 where there is no path."""
        heads, room, arcs_of = self.heads, self.room, self.arcs_of
        level = [-1] * self.nodes
        level[source] = 0
        front = [source]
        while front and level[sink] < 0:
            following = []
            for n in front:
                deeper = level[n] + 1
                for a in arcs_of[n]:
                    head = heads[a]
                    if room[a] and level[head] < 0:
                        level[head] = deeper
                        following.append(head)
            front = following
        return level

    def _blocking_flow(self, source: int, sink: int, level: list[int]) -> int:
        """Push flow along shortest paths until each of them has a full arc. Returns how much."""
        heads, room, arcs_of = self.heads, self.room, self.arcs_of
        turn = [0] * self.nodes
        path: list[int] = []
        here, total = source, 0
        while True:
            if here == sink:
                pushed = min(room[a] for a in path)
                total += pushed
                for a in path:
                    room[a] -= pushed
                    room[a ^ 1] += pushed
                back = next(k for k, a in enumerate(path) if not room[a])
                here = heads[path[back] ^ 1]
                del path[back:]
                continue
            mine, deeper = arcs_of[here], level[here] + 1
            k = turn[here]
            while k < len(mine) and not (room[mine[k]] and level[heads[mine[k]]] == deeper):
                k += 1
            turn[here] = k
            if k < len(mine):
                path.append(mine[k])
                here = heads[mine[k]]
            elif here == source:
                return total
            else:
                level[here] = -1
                here = heads[path.pop() ^ 1]

    def _reaches(self, sink: int) -> set[int]:
        """Nodes with a path to the sink through arcs that have room."""
        heads, room, arcs_of = self.heads, self.room, self.arcs_of
        reaching = {sink}
        todo = [sink]
        while todo:
            for a in arcs_of[todo.pop()]:
                tail = heads[a]
                if room[a ^ 1] and tail not in reaching:
                    reaching.add(tail)
                    todo.append(tail)
        return reaching
