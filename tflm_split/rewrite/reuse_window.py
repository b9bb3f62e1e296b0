"""Windows that slide: what the inference before computed for the frames that both share is kept, and not computed again.

    inference t-1   frames   0 1 2 3 4 5 6 7          a row of a tensor follows the frames, at a stride
    inference t     frames     1 2 3 4 5 6 7 8        its row i is row i + 1 of t-1, unless padding touches either

In the graph, a tensor is put together anew behind the operator that makes it:

    tensor = its first rows (padding touches them), those that are remembered, and its last rows (new, or touched by padding)

So its other rows are never needed, and neither are the rows that only they needed. What is remembered is a state
(`ir/graph.py`). Where the stride does not divide the frames by which the window slides, rows meet again a few inferences
later; then those of so many inferences are remembered.

The idea is that of TinyDéjàVu (arXiv 2512.09786). How a tensor's axis follows the input's is asked of `split/axes/`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import gcd

import numpy as np
from numpy.typing import NDArray

from tflm_split.ir.graph import ABSENT, Graph, Operator, State
from tflm_split.rewrite.states import placed_last, zero_byte
from tflm_split.rewrite.svdf import Growing
from tflm_split.split.axes.loops import Loops, Reach
from tflm_split.split.axes.table import loops_of
from tflm_split.split.operators.state import KEEP_STATE
from tflm_split.split.rows import BatchRows, Window


@dataclass(frozen=True, slots=True)
class Following:
    """Axis `axis` of a tensor follows the input's: one index later is `stride` frames later.

    Holds for the indices `low` to `high` - 1, which padding does not touch.
    """

    axis: int
    stride: int
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Reused:
    """What a tensor has in common with itself `apart` inferences earlier: it was `shift` indices further then."""

    tensor: int
    at: Following
    apart: int
    shift: int

    @property
    def kept(self) -> int:
        """How many indices are not computed again."""
        return self.at.high - self.at.low - self.shift


def following(graph: Graph, source: int, axis: int) -> dict[int, Following]:
    """Every tensor with an axis that follows axis `axis` of tensor `source`, that one included."""
    found = {source: Following(axis, 1, 0, graph.tensors[source].shape[axis])}
    for op in graph.operators:
        if not found.keys() & set(op.inputs):
            continue
        for number, t in enumerate(op.outputs):
            follows = _followed(graph, op, loops_of(graph, op, number), found)
            if follows is not None and graph.tensors[t].shape[follows.axis] > 1:
                found[t] = follows
    return found


def _followed(graph: Graph, op: Operator, loops: Loops, found: dict[int, Following]) -> Following | None:
    """How an output follows the input. None where an operand does not move with it, or where that is not known."""
    merged: Following | None = None
    for k, t in enumerate(op.inputs):
        if t == ABSENT or (k not in loops.operands and graph.tensors[t].is_constant):
            continue
        if t not in found:
            if not graph.tensors[t].is_constant:
                return None
            continue
        ours = found[t]
        follows = loops.followed(k, ours.axis)
        window = None if follows is None or follows.loop >= loops.rank else _window(follows.reach)
        if follows is None or window is None:
            return None
        low = -(-(ours.low + window.pad) // window.stride)
        high = (ours.high - 1 - (window.kernel - 1) * window.dilation + window.pad) // window.stride + 1
        here = Following(follows.loop, ours.stride * window.stride, max(0, low), min(high, loops.sizes[follows.loop]))
        if merged is None:
            merged = here
        elif (merged.axis, merged.stride) != (here.axis, here.stride):
            return None
        else:
            merged = replace(merged, low=max(merged.low, here.low), high=min(merged.high, here.high))
    if merged is None or any(
        t != ABSENT and t not in found and loops.follower(k, merged.axis) is not None for k, t in enumerate(op.inputs)
    ):
        return None  # a constant that differs from index to index
    return merged


def _window(reach: Reach) -> Window | None:
    """`reach` as a window that moves on with each index; None for all that does not."""
    if isinstance(reach, BatchRows) and reach.output_rows == 1:
        return Window(kernel=reach.input_rows, stride=reach.input_rows)
    return reach if isinstance(reach, Window) and reach.stride > 0 else None


def reusable(graph: Graph, source: int, axis: int, frames: int) -> tuple[Reused, ...]:
    """What can be kept when the window slides by `frames` frames, in the order in which it is made."""
    found = following(graph, source, axis)
    made = [t for op in graph.operators for t in op.outputs if t in found and t not in graph.outputs]
    all_reused = (_reused(t, found[t], frames) for t in made)
    return tuple(reused for reused in all_reused if reused.kept > 0)


def _reused(tensor: int, at: Following, frames: int) -> Reused:
    apart = at.stride // gcd(at.stride, frames)
    return Reused(tensor, at, apart, apart * frames // at.stride)


def reusing(graph: Graph, chosen: Sequence[Reused]) -> Graph:
    """`graph` with the tensors of `chosen` put together of what is remembered and what is new."""
    for reused in chosen:
        graph = _Joint(graph, reused).joined()
    return graph


class _Joint:
    """One tensor that is put together anew."""

    def __init__(self, graph: Graph, reused: Reused) -> None:
        self._graph, self._reused = graph, reused
        self._like = graph.tensors[reused.tensor]
        self._maker = graph.operators[graph.producers()[reused.tensor]]
        self._growing = Growing(graph, self._maker)

    def joined(self) -> Graph:
        """The graph with it. Later readers of the tensor read the one that is put together."""
        reused, at, graph = self._reused, self._reused.at, self._graph
        size, kept, apart = self._like.shape[at.axis], reused.kept, reused.apart
        before = self._tensor(kept * apart, "before")
        oldest = self._slice(before, 0, kept)
        last = self._slice(reused.tensor, at.high - reused.shift, size - at.high + reused.shift)
        whole = self._concatenation([self._slice(reused.tensor, 0, at.low), oldest, last])
        new = self._slice(whole, at.low + reused.shift, kept)
        rest = self._concatenation([self._slice(before, kept, kept * (apart - 1)), new])
        made = list(self._growing.operators)
        after = self._growing.add(KEEP_STATE, (rest,), self._tensor(kept * apart, "kept"))
        update = self._growing.operators[-1]
        position = self._maker.index + 1
        readers = [
            replace(op, inputs=tuple(whole if t == reused.tensor else t for t in op.inputs))
            for op in graph.operators[position:]
        ]
        operators = placed_last([*graph.operators[:position], *made, *readers], before, update)
        states = (*graph.states, State(before, after, zero_byte(self._like)))
        return replace(graph, tensors=tuple(self._growing.tensors), states=states).with_operators(tuple(operators))

    def _tensor(self, size: int, what: str) -> int:
        shape = list(self._like.shape)
        shape[self._reused.at.axis] = size
        return self._growing.tensor(self._like, tuple(shape), f"{self._like.name} {what}")

    def _slice(self, tensor: int, first: int, count: int) -> int:
        """`count` indices of `tensor` from `first` on; the tensor itself, if that is all of it, and ABSENT for none."""
        shape, axis = list(self._growing.tensors[tensor].shape), self._reused.at.axis
        if not count:
            return ABSENT
        if count == shape[axis]:
            return tensor
        begin, shape[axis] = [0] * len(shape), count
        begin[axis] = first
        numbers = self._growing.numbers(*begin), self._growing.numbers(*shape)
        return self._growing.add("SLICE", (tensor, *numbers), self._tensor(count, "rows"))

    def _concatenation(self, parts: Sequence[int]) -> int:
        there = tuple(t for t in parts if t != ABSENT)
        if len(there) == 1:
            return there[0]
        axis = self._reused.at.axis
        output = self._tensor(sum(self._growing.tensors[t].shape[axis] for t in there), "joined")
        return self._growing.add("CONCATENATION", there, output, {"axis": axis, "fused_activation_function": "NONE"})


def warm_up(graph: Graph, chosen: Sequence[Reused], found: Mapping[int, Following]) -> int:
    """How many inferences after a reset give results that are not right yet: what is remembered must have been computed.

    `graph` is the one before `reusing`, and `found` says what follows its input.
    """
    kept = {reused.tensor: reused for reused in chosen}
    known: dict[int, list[int]] = {}
    """Tensor -> for each index of its axis, the first inference in which it is right. One entry: all of it."""
    for op in graph.operators:
        for number, t in enumerate(op.outputs):
            known[t] = _known_from(graph, op, number, found, known)
            if t in kept:
                _remembered_from(known[t], kept[t])
    return max((max(known.get(t, [0])) for t in graph.outputs), default=0)


def _remembered_from(known: list[int], reused: Reused) -> None:
    """Change the indices that are remembered: each was right so many inferences ago where it was then."""
    for i in reversed(range(reused.at.low, reused.at.high - reused.shift)):
        known[i] = known[i + reused.shift] + reused.apart


def _known_from(
    graph: Graph, op: Operator, number: int, found: Mapping[int, Following], known: Mapping[int, list[int]]
) -> list[int]:
    output = op.outputs[number]
    if output not in found:
        return [max((max(known.get(t, [0])) for t in op.inputs if t != ABSENT), default=0)]
    loops = loops_of(graph, op, number)
    starts = [0] * graph.tensors[output].shape[found[output].axis]
    for k, t in enumerate(op.inputs):
        follows = loops.followed(k, found[t].axis) if t in found else None
        if follows is not None and t in known:
            for i in range(len(starts)):
                starts[i] = max([starts[i], *(known[t][j] for j in follows.indices(i))])
    return starts


def needed(graph: Graph, chosen: Sequence[Reused], found: Mapping[int, Following]) -> dict[int, NDArray[np.bool_]]:
    """Tensor that follows the input -> which of its indices must be computed, as far as the graph says."""
    kept = {reused.tensor: reused for reused in chosen}
    wanted = {t: np.zeros(graph.tensors[t].shape[at.axis], bool) for t, at in found.items()}
    for t in graph.outputs:
        if t in wanted:
            wanted[t][:] = True
    for op in reversed(graph.operators):
        for t in op.outputs:
            if t in kept:
                reused = kept[t]
                wanted[t][reused.at.high - reused.shift : reused.at.high] = True
                wanted[t][reused.at.low : reused.at.high - reused.shift] = False
        for k, t in enumerate(op.inputs):
            if t not in wanted:
                continue
            for number, output in enumerate(op.outputs):
                if output not in wanted:
                    wanted[t][:] = True
                    continue
                follows = loops_of(graph, op, number).followed(k, found[t].axis)
                for i in np.flatnonzero(wanted[output]):
                    indices = follows.indices(int(i)) if follows is not None else range(len(wanted[t]))
                    wanted[t][indices.start : indices.stop : indices.step] = True
    return wanted
