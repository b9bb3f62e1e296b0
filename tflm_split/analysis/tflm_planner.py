"""Where will TFLM put every buffer of the head, and how large will the head be?

This simulates exactly what TFLM does while it starts. First, lifetimes from the order of the operators
(micro_allocation_info.cc). Then the greedy planner (greedy_memory_planner.cc): buffers with an offline offset are fixed.
The others, scratch included, are placed one by one, the largest first, in the lowest gap for their lifetime.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from tflm_split.analysis.liveness import ODD_ELEMENT_BYTES
from tflm_split.analysis.scratch import scratch_bytes
from tflm_split.errors import ModelError
from tflm_split.ir.graph import ABSENT, Graph, Operator, Tensor
from tflm_split.program.in_model import slow_tensors
from tflm_split.tflite.offline_plan import ONLINE

BUFFER_ALIGNMENT_BYTES = 16
"""TFLM rounds every planned buffer up to this (MicroArenaBufferAlignment)."""

Scratch = Callable[[Graph, Operator], Sequence[int]]
"""The scratch buffers an operator asks for, in bytes; `analysis.scratch.scratch_bytes` for stock ones."""

_NEVER = -1
_CALLS = {
    "IF": ("then_subgraph_index", "else_subgraph_index"),
    "WHILE": ("cond_subgraph_index", "body_subgraph_index"),
    "CALL_ONCE": ("init_subgraph_index",),
}


@dataclass(frozen=True, slots=True)
class HeadBuffer:
    """One buffer of the head as TFLM's planner sees it.

    It lives from moment `first` to moment `last`, both included; a moment is an operator, counted from 1, with 0 before
    the first and -1 for a buffer that is never created or never used. `bytes` are rounded. `offset` is ONLINE until it
    is placed. `tensor` counts the tensors of all subgraphs one after the other; None for scratch.
    """

    bytes: int
    first: int
    last: int
    offset: int
    tensor: int | None

    @property
    def end(self) -> int:
        return self.offset + self.bytes

    def meets(self, other: HeadBuffer) -> bool:
        """Do the two live at the same time, as TFLM decides it?"""
        return self.first <= other.last and other.first <= self.last


def rounded(nbytes: int) -> int:
    """What TFLM plans for a buffer of `nbytes`."""
    return -(-nbytes // BUFFER_ALIGNMENT_BYTES) * BUFFER_ALIGNMENT_BYTES


def scratch_room_bytes(graph: Graph, op: Operator, scratch: Scratch = scratch_bytes) -> int:
    """Bytes of a gap that holds all scratch of `op`, whatever else is planned.

    The gap must be 16-aligned, and its neighbours must still fit when TFLM rounds them up. Then the head does not grow:
    each scratch buffer goes to the lowest gap that fits, so into this one, stacked from its start, or to a lower one.
    """
    return sum(rounded(nbytes) for nbytes in scratch(graph, op))


def planned_head(
    graph: Graph,
    offsets: Mapping[int, int] | None = None,
    scratch: Scratch = scratch_bytes,
    others: Sequence[Graph] = (),
) -> int:
    """Bytes of head TFLM reports for `graph`, its operators run in order, under the offline plan `offsets`.

    `offsets`: tensor -> byte offset; a tensor it leaves out (or gives ONLINE) is placed by TFLM. `others` are the file's
    further subgraphs, whose tensors `offsets` counts on after those of `graph`. Raises ModelError when a subgraph calls
    itself, or one that does not exist: TFLM would not return.
    """
    return max((b.end for b in place(head_buffers((graph, *others), offsets or {}, scratch))), default=0)


def place(buffers: Sequence[HeadBuffer]) -> tuple[HeadBuffer, ...]:
    """`buffers` in their order, each with the offset that TFLM's greedy planner gives it. Fixed offsets do not change."""
    fixed = [k for k, b in enumerate(buffers) if b.offset != ONLINE]
    # TFLM fills its list of online buffers from the back, then sorts it stably: of equal ones the last added goes first.
    online = sorted((k for k, b in enumerate(buffers) if b.offset == ONLINE), key=lambda k: (-buffers[k].bytes, -k))
    placed: dict[int, HeadBuffer] = {}
    by_offset: list[HeadBuffer] = []
    for k in (*fixed, *online):
        buffer = buffers[k]
        if buffer.offset == ONLINE:
            buffer = replace(buffer, offset=_lowest_gap(buffer, by_offset))
        placed[k] = buffer
        by_offset.insert(bisect_right(by_offset, buffer.offset, key=lambda b: b.offset), buffer)
    return tuple(placed[k] for k in range(len(buffers)))


def _lowest_gap(buffer: HeadBuffer, by_offset: Sequence[HeadBuffer]) -> int:
    candidate = 0
    for other in by_offset:
        if other.meets(buffer):
            if other.offset - candidate >= buffer.bytes:
                break
            candidate = max(candidate, other.end)
    return candidate


def head_buffers(graphs: Sequence[Graph], offsets: Mapping[int, int], scratch: Scratch) -> tuple[HeadBuffer, ...]:
    """The buffers in the order TFLM enters them: the tensors of all subgraphs, then scratch by subgraph and operator."""
    lifetimes = _Lifetimes(graphs)
    lifetimes.run(0)
    buffers = []
    for g, graph in enumerate(graphs):
        elsewhere = {op.outputs[0] for op in graph.operators if op.kind == "VAR_HANDLE" and op.outputs}
        elsewhere.update(slow_tensors(graph))
        for tensor in graph.tensors:
            key = lifetimes.base[g] + tensor.index
            offset = offsets.get(key, ONLINE)
            if _is_planned(tensor, offset) and tensor.index not in elsewhere:
                nbytes = rounded(_tensor_bytes(tensor))
                buffers.append(
                    HeadBuffer(nbytes, lifetimes.first.get(key, _NEVER), lifetimes.last.get(key, _NEVER), offset, key)
                )
    for g, graph in enumerate(graphs):
        for op in graph.operators:
            first, last = lifetimes.operators.get((g, op.index), (_NEVER, _NEVER))
            buffers += [HeadBuffer(rounded(n), first, last, ONLINE, None) for n in scratch(graph, op)]
    return tuple(buffers)


def operator_moments(graphs: Sequence[Graph]) -> tuple[tuple[int, int], ...]:
    """The first and the last moment (`HeadBuffer`) of each operator of the first graph, what it calls included."""
    lifetimes = _Lifetimes(graphs)
    lifetimes.run(0)
    return tuple(lifetimes.operators[0, op.index] for op in graphs[0].operators)


def _tensor_bytes(tensor: Tensor) -> int:
    return tensor.bytes or tensor.elements * ODD_ELEMENT_BYTES.get(tensor.dtype, 0)


def _is_planned(tensor: Tensor, offset: int) -> bool:
    """A variable lies in the tail unless the plan gives it an offset. Tensors nobody names are planned like others."""
    if tensor.is_variable:
        return offset != ONLINE
    return not tensor.is_constant and _tensor_bytes(tensor) > 0


class _Lifetimes:
    """Lifetimes by the clock of AllocationInfoBuilder, which ticks at each operator and at each subgraph that it calls."""

    def __init__(self, graphs: Sequence[Graph]) -> None:
        self.graphs = graphs
        self.base = [sum(len(g.tensors) for g in graphs[:k]) for k in range(len(graphs))]
        self.first: dict[int, int] = {}
        self.last: dict[int, int] = {}
        self.operators: dict[tuple[int, int], tuple[int, int]] = {}
        self._now = 0
        self._running: list[int] = []

    def run(self, subgraph: int) -> None:
        """Mark everything one run of `subgraph` creates and uses."""
        if not 0 <= subgraph < len(self.graphs):
            raise ModelError(f"an operator calls subgraph {subgraph}, but there are {len(self.graphs)}")
        if subgraph in self._running:
            raise ModelError(f"subgraph {subgraph} calls itself")
        self._running.append(subgraph)
        graph, base = self.graphs[subgraph], self.base[subgraph]
        for t in graph.inputs:
            self._create(base + t)
            self._use(base + t)
        for op in graph.operators:
            self._now += 1
            start = self._now
            for t in op.outputs:
                self._create(base + t)
            for called in _called(op):
                self._now += 1
                self.run(called)
            for t in (*op.inputs, *op.outputs):
                if t != ABSENT:
                    self._use(base + t)
            # A subgraph called again keeps the first start of its scratch and gets the new end.
            first, _ = self.operators.get((subgraph, op.index), (start, start))
            self.operators[subgraph, op.index] = first, self._now
        for t in graph.outputs:
            self._create(base + t)
            self._use(base + t)
        self._running.pop()

    def _create(self, key: int) -> None:
        self.first.setdefault(key, self._now)

    def _use(self, key: int) -> None:
        self.last[key] = self._now


def _called(op: Operator) -> tuple[int, ...]:
    """The subgraphs `op` calls, in the order TFLM plans them."""
    found = (op.options.get(name) for name in _CALLS.get(op.kind, ()))
    return tuple(index for index in found if isinstance(index, int) and index != _NEVER)
