"""Which part of their input do STRIDED_SLICE, SLICE, SPLIT, SPLIT_V and UNPACK take, and when is it a window?

A window needs no step and no copy. It takes steps of 1 along each axis. A slice of rows is some of the rows; a slice of
columns or channels is a part of each row. A slice that is no window can still be copied (`copied_slices.py`).
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

from tflm_split.errors import Refusal
from tflm_split.ir.graph import Graph, Operator, Tensor
from tflm_split.split.operators.common import constant, need, operand, option_int
from tflm_split.split.rows import row_shape, rows_run_along_width
from tflm_split.split.storage import Alias

SLICES = frozenset({"STRIDED_SLICE", "SLICE", "SPLIT", "SPLIT_V", "UNPACK"})

Taken = tuple[range, ...]
"""Per axis of the input: the indices that one output takes, in its order."""


def sliced_input(op: Operator) -> int:
    """The index of the tensor that `op` takes its slices from. (SPLIT names its axis first.)"""
    return op.inputs[1] if op.kind == "SPLIT" else op.inputs[0]


def slice_aliases(graph: Graph, op: Operator) -> tuple[Alias, ...]:
    """Each output as a window onto the input. Raises Refusal when an output is no window."""
    source = slice_source(graph, op)
    targets = [graph.tensors[t] for t in op.outputs]
    return tuple(_window(source, t, taken) for t, taken in zip(targets, slices_taken(graph, op), strict=True))


def slices_taken(graph: Graph, op: Operator) -> tuple[Taken, ...]:
    """What each output takes of the input. Raises Refusal when that is not known, or does not fit the output."""
    source = slice_source(graph, op)
    targets = [graph.tensors[t] for t in op.outputs]
    if op.kind in ("SPLIT", "SPLIT_V"):
        slices = _split(graph, op, source, targets)
    elif op.kind == "UNPACK":
        slices = _unpacked(op, source, targets)
    else:
        need(len(targets) == 1, "arity", f"it has {len(targets)} outputs, needs 1")
        slices = [_sliced(graph, op, source, targets[0])]
    for target, taken in zip(targets, slices, strict=True):
        need(source.dtype == target.dtype, "dtype", "its input and output differ in type")
        need(not target.is_variable, "variable", "its output is a variable")
        inside = all(r and min(r) >= 0 and max(r) < size for r, size in zip(taken, source.shape, strict=True))
        need(inside, "geometry", "its output does not lie inside its input")
        need(target.elements == prod(map(len, taken)), "geometry", "its output is not what its bounds say")
    return tuple(slices)


def slice_source(graph: Graph, op: Operator) -> Tensor:
    """The tensor that `op` takes its slices from; it must be computed at run time."""
    source = operand(graph, op, 1 if op.kind == "SPLIT" else 0)
    need(not source.is_constant and not source.is_variable, "constant", "its input is not an activation")
    return source


def _split(graph: Graph, op: Operator, source: Tensor, targets: list[Tensor]) -> list[Taken]:
    rank = len(source.shape)
    (axis,) = _integers(graph, op, 0 if op.kind == "SPLIT" else 2, 1)
    need(-rank <= axis < rank, "axes", f"it splits axis {axis} of {rank}")
    axis %= rank
    slices, position = [], 0
    for target in targets:
        need(len(target.shape) == rank, "geometry", "its outputs differ in rank from its input")
        size = target.shape[axis]
        slices.append(_along(source, axis, range(position, position + size)))
        position += size
    need(position == source.shape[axis], "geometry", "its outputs do not add up to its input")
    return slices


def _unpacked(op: Operator, source: Tensor, targets: list[Tensor]) -> list[Taken]:
    rank = len(source.shape)
    axis = option_int(op, "axis", 0)
    need(-rank <= axis < rank, "axes", f"it unpacks axis {axis} of {rank}")
    axis %= rank
    need(len(targets) == source.shape[axis], "geometry", "it does not have an output for each index of its axis")
    return [_along(source, axis, range(k, k + 1)) for k in range(len(targets))]


def _along(source: Tensor, axis: int, indices: range) -> Taken:
    return tuple(indices if a == axis else range(size) for a, size in enumerate(source.shape))


def _sliced(graph: Graph, op: Operator, source: Tensor, target: Tensor) -> Taken:
    rank = len(source.shape)
    begin = _integers(graph, op, 1, rank)
    if op.kind == "SLICE":
        need(len(target.shape) == rank, "geometry", "its output differs in rank from its input")
        return tuple(range(b, b + size) for b, size in zip(begin, target.shape, strict=True))
    end, strides = _integers(graph, op, 2, rank), _integers(graph, op, 3, rank)
    need(all(strides), "geometry", "it has a stride of 0")
    for mask in ("ellipsis_mask", "new_axis_mask"):
        need(option_int(op, mask) == 0, "option", f"it has a {mask}")
    no_begin, no_end, one = (option_int(op, f"{name}_mask") for name in ("begin", "end", "shrink_axis"))
    return tuple(
        _strided(size, b, e, s, bool(no_begin >> axis & 1), bool(no_end >> axis & 1), bool(one >> axis & 1))
        for axis, (size, b, e, s) in enumerate(zip(source.shape, begin, end, strides, strict=True))
    )


def _strided(size: int, begin: int, end: int, stride: int, from_start: bool, to_end: bool, one: bool) -> range:
    """The indices taken of an axis of `size`. A bound beyond the axis means its end (strided_slice_logic.h)."""
    low, high = (0, size) if stride > 0 else (-1, size - 1)
    first = min(max(begin + size if begin < 0 else begin, low), high)
    if from_start:
        first = low if stride > 0 else high
    if one:
        return range(first, first + 1)
    last = min(max(end + size if end < 0 else end, low), high)
    if to_end:
        last = high if stride > 0 else low
    return range(first, last, stride)


def _integers(graph: Graph, op: Operator, position: int, count: int) -> tuple[int, ...]:
    tensor = constant(graph, op, position, "INT32", "INT64")
    need(tensor.elements == count, "geometry", f"its input {position} has {tensor.elements} numbers, needs {count}")
    width = 4 if tensor.dtype == "INT32" else 8
    data = tensor.data or b""
    return tuple(int.from_bytes(data[i : i + width], "little", signed=True) for i in range(0, width * count, width))


def is_pixel(tensor: Tensor) -> bool:
    """Whether a map [1, H, W, C] has one pixel: it is one row, whichever way rows run."""
    return len(tensor.shape) == 4 and tensor.shape[1] == tensor.shape[2] == 1


def _window(source: Tensor, target: Tensor, taken: Taken) -> Alias:
    need(all(r.step == 1 for r in taken), "geometry", f"its strides are {[r.step for r in taken]}, needs 1")
    begin = tuple(r.start for r in taken)
    part_of = replace(target, shape=tuple(map(len, taken)))  # `target` may have lost an axis of one index
    whole, part = row_shape(source), row_shape(part_of)
    if len(source.shape) == 4:
        along_width = rows_run_along_width(source)
        if along_width != rows_run_along_width(part_of) and not is_pixel(part_of):
            raise Refusal("geometry", "its input and output are cut along different axes")
        first_row, first_column = (begin[2], begin[1]) if along_width else (begin[1], begin[2])
    else:
        outer = [a for a in range(len(source.shape) - 1) if source.shape[a] > 1]
        need(len(outer) <= 1 or not any(begin[:-1]), "axes", "it slices one of several outer axes")
        need(len(outer) <= 1 or source.shape[:-1] == part_of.shape[:-1], "axes", "it slices one of several outer axes")
        first_row, first_column = max(begin[:-1], default=0), 0
    channel = begin[-1] if begin else 0
    offset = first_column * whole.pixel_bytes + channel * whole.element_bytes
    stride = 0 if part.row_bytes == whole.row_bytes else whole.pixel_bytes
    need(stride == 0 or part == row_shape(target), "rows", "its output is cut along another axis than its input")
    return Alias(target.index, source.index, first_row, offset, stride, whole.row_bytes)
