"""Operators that only move elements: reshapes, transpositions, slices, concatenations, padding, look-ups."""

from __future__ import annotations

import numpy as np

from tflm_split.errors import Refusal
from tflm_split.ir.graph import Graph, Operator
from tflm_split.split.axes.loops import IN_STEP, Axes, Follows, Loops, Reach, in_blocks
from tflm_split.split.axes.reshaped import reshaped
from tflm_split.split.operators.common import constant, need, operand, option_int
from tflm_split.split.operators.pad import pad_amounts
from tflm_split.split.operators.slices import sliced_input, slices_taken
from tflm_split.split.rows import MappedRow, Window


def reshape(graph: Graph, op: Operator, output: int) -> Loops:
    """RESHAPE and its kin: elements keep their order, so axes of the same product belong together."""
    source, target = operand(graph, op, 0), graph.tensors[op.outputs[output]]
    need(0 < source.elements == target.elements, "geometry", "its input and output differ in size")
    axes, torn = reshaped(source.shape, target.shape)
    return Loops(len(target.shape), target.shape, {0: axes}, torn)


def transpose(graph: Graph, op: Operator, output: int) -> Loops:
    """TRANSPOSE: output axis o is input axis `permutation[o]`; the permutation is operand 1."""
    source, target = operand(graph, op, 0).shape, graph.tensors[op.outputs[output]].shape
    rank = len(source)
    given = np.frombuffer(constant(graph, op, 1, "INT32").data or b"", "<i4").tolist()
    order = [a + rank if a < 0 else a for a in given]
    need(sorted(order) == list(range(rank)), "axes", f"its permutation is {given}")
    need(target == tuple(source[a] for a in order), "geometry", "its output is not its input transposed")
    return Loops(rank, target, {0: tuple(Follows(order.index(a), size) for a, size in enumerate(source))})


def concatenation(graph: Graph, op: Operator, output: int) -> Loops:
    """CONCATENATION: along its axis, an index of the output needs one input only."""
    target = graph.tensors[op.outputs[output]].shape
    axis = _axis(option_int(op, "axis"), len(target))
    operands: dict[int, Axes] = {}
    first = 0
    for position in range(len(op.inputs)):
        shape = operand(graph, op, position).shape
        fits = len(shape) == len(target) and all(a == axis or s == target[a] for a, s in enumerate(shape))
        need(fits, "geometry", "its inputs and output differ beside its axis")
        shifted = Window(pad=first) if len(op.inputs) > 1 else IN_STEP
        operands[position] = tuple(Follows(a, s, shifted if a == axis else IN_STEP) for a, s in enumerate(shape))
        first += shape[axis]
    need(first == target[axis], "geometry", "its inputs do not add up to its output")
    return Loops(len(target), target, operands)


def pack(graph: Graph, op: Operator, output: int) -> Loops:
    """PACK: an index of the new axis needs one input, and nothing of the others."""
    target = graph.tensors[op.outputs[output]].shape
    axis = _axis(option_int(op, "axis", 0), len(target))
    inner = [a for a in range(len(target)) if a != axis]
    operands: dict[int, Axes] = {}
    for position in range(len(op.inputs)):
        shape = operand(graph, op, position).shape
        need(shape == tuple(target[a] for a in inner), "geometry", "its inputs do not fit its output")
        operands[position] = tuple(Follows(a, size) for a, size in zip(inner, shape, strict=True))
    return Loops(len(target), target, operands, frozenset({axis}))


def sliced(graph: Graph, op: Operator, output: int) -> Loops:
    """STRIDED_SLICE, SLICE, SPLIT, SPLIT_V and UNPACK. An axis that the output lacks follows nothing."""
    taken = slices_taken(graph, op)[output]
    source, target = graph.tensors[sliced_input(op)].shape, graph.tensors[op.outputs[output]].shape
    left_out = 0
    if op.kind == "STRIDED_SLICE":
        left_out = option_int(op, "shrink_axis_mask")
    elif op.kind == "UNPACK":
        left_out = 1 << _axis(option_int(op, "axis", 0), len(source))
    kept = [a for a in range(len(source)) if not left_out >> a & 1]
    need(target == tuple(len(taken[a]) for a in kept), "geometry", "its output does not fit what it takes")
    axes: list[Follows | None] = [None] * len(source)
    for o, a in enumerate(kept):
        axes[a] = Follows(o, source[a], _picked(taken[a], source[a]))
    return Loops(len(target), target, {op.inputs.index(sliced_input(op)): tuple(axes)})


def _picked(taken: range, size: int) -> Reach:
    if taken == range(size):
        return IN_STEP
    if taken.step > 0:
        return Window(stride=taken.step, pad=-taken.start)
    return MappedRow(tuple(taken))


def pad(graph: Graph, op: Operator, output: int) -> Loops:
    """PAD and PADV2: each axis is shifted by the padding before it."""
    source, target = operand(graph, op, 0).shape, graph.tensors[op.outputs[output]].shape
    amounts = pad_amounts(graph, op)
    need(len(source) == len(target) == len(amounts), "rank", "its padding does not fit its input")
    fits = all(t == s + before + after for s, t, (before, after) in zip(source, target, amounts, strict=True))
    need(fits, "geometry", "its output shape does not fit its padding")
    axes = (
        Follows(a, size, Window(pad=before) if before or after else IN_STEP)
        for a, (size, (before, after)) in enumerate(zip(source, amounts, strict=True))
    )
    return Loops(len(target), target, {0: tuple(axes)})


def space_to_depth(graph: Graph, op: Operator, output: int) -> Loops:
    """SPACE_TO_DEPTH: a row (or column) needs a block of rows; channels are torn."""
    return _blocks(graph, op, output, shrinks=True)


def depth_to_space(graph: Graph, op: Operator, output: int) -> Loops:
    """DEPTH_TO_SPACE: a block of rows (or columns) needs one row; channels are torn."""
    return _blocks(graph, op, output, shrinks=False)


def _blocks(graph: Graph, op: Operator, output: int, shrinks: bool) -> Loops:
    source, target = operand(graph, op, 0).shape, graph.tensors[op.outputs[output]].shape
    block = option_int(op, "block_size")
    need(len(source) == len(target) == 4 and block > 0, "rank", "its input or output is not 4-dimensional")
    wide, deep = (source, target) if shrinks else (target, source)
    fits = wide[:3] == (deep[0], deep[1] * block, deep[2] * block) and deep[3] == wide[3] * block**2
    need(fits, "geometry", f"blocks of {block} do not make its output of its input")
    reach = in_blocks(1, block) if shrinks else in_blocks(block, 1)
    axes = (Follows(0, source[0]), Follows(1, source[1], reach), Follows(2, source[2], reach), None)
    return Loops(4, target, {0: axes}, frozenset({3}))


def gather(graph: Graph, op: Operator, output: int) -> Loops:
    """GATHER: the axes of the indices replace the axis gathered along.

    Which entries an output needs is known at run time only, so the table's own axis follows nothing.
    """
    table, indices = operand(graph, op, 0).shape, operand(graph, op, 1).shape
    target = graph.tensors[op.outputs[output]].shape
    axis = _axis(option_int(op, "axis", 0), len(table))
    need(option_int(op, "batch_dims", 0) == 0, "axes", "it gathers by batches")
    need(target == (*table[:axis], *indices, *table[axis + 1 :]), "geometry", "its output does not fit its operands")
    shift = len(indices) - 1
    entries = (None if a == axis else Follows(a + shift * (a > axis), size) for a, size in enumerate(table))
    picks = tuple(Follows(axis + a, size) for a, size in enumerate(indices))
    torn: frozenset[int] = frozenset(range(axis, axis + len(indices)))
    return Loops(len(target), target, {0: tuple(entries), 1: picks}, torn)


def picked(graph: Graph, op: Operator, output: int) -> Loops:
    """PICK, RECUT and MIRROR_PAD, whose elements are picked one by one, and what belongs to a state: no axis is known to follow
    another."""
    raise Refusal("axes", "its elements are picked one by one, or belong to a state")


def _axis(axis: int, rank: int) -> int:
    need(-rank <= axis < rank, "axes", f"its axis is {axis} of {rank}")
    return axis % rank


def fetched(graph: Graph, op: Operator, output: int) -> Loops:
    """The rows of a streamed input come once and in order, so nothing about them is free to be chosen."""
    raise Refusal("stream", "its rows come once, in the order of the input")
