"""STRIDED_SLICE, SLICE, SPLIT and SPLIT_V as windows onto their input's storage: no step, no copy.

Only steps of 1 along each axis; a slice of rows is some of the rows, a slice of columns or channels part of each row.
"""

from __future__ import annotations

from tflm_split.errors import Refusal
from tflm_split.ir.graph import Graph, Operator, Tensor
from tflm_split.split.operators.common import constant, need, operand, option_int
from tflm_split.split.rows import row_shape, rows_run_along_width
from tflm_split.split.storage import Alias

SLICES = frozenset({"STRIDED_SLICE", "SLICE", "SPLIT", "SPLIT_V"})


def sliced_input(op: Operator) -> int:
    """The tensor `op` takes its slices from (SPLIT names its axis first)."""
    return op.inputs[1] if op.kind == "SPLIT" else op.inputs[0]


def slice_aliases(graph: Graph, op: Operator) -> tuple[Alias, ...]:
    """What each output is of the input; raises Refusal when some output is not a window."""
    source = operand(graph, op, 1 if op.kind == "SPLIT" else 0)
    need(not source.is_constant and not source.is_variable, "constant", "its input is not an activation")
    targets = [graph.tensors[t] for t in op.outputs]
    if op.kind in ("SPLIT", "SPLIT_V"):
        begins = _split_begins(graph, op, source, targets)
    else:
        need(len(targets) == 1, "arity", f"it has {len(targets)} outputs, needs 1")
        begins = [_slice_begin(graph, op, source)]
    return tuple(_window(source, target, begin) for target, begin in zip(targets, begins, strict=True))


def _split_begins(graph: Graph, op: Operator, source: Tensor, targets: list[Tensor]) -> list[tuple[int, ...]]:
    rank = len(source.shape)
    (axis,) = _integers(graph, op, 0 if op.kind == "SPLIT" else 2, 1)
    need(-rank <= axis < rank, "axes", f"it splits axis {axis} of {rank}")
    axis %= rank
    begins, position = [], 0
    for target in targets:
        need(len(target.shape) == rank, "geometry", "its outputs differ in rank from its input")
        begins.append(tuple(position if a == axis else 0 for a in range(rank)))
        position += target.shape[axis]
    need(position == source.shape[axis], "geometry", "its outputs do not add up to its input")
    return begins


def _slice_begin(graph: Graph, op: Operator, source: Tensor) -> tuple[int, ...]:
    rank = len(source.shape)
    begin = _integers(graph, op, 1, rank)
    if op.kind == "SLICE":
        return begin
    strides = _integers(graph, op, 3, rank)
    need(all(s == 1 for s in strides), "geometry", f"its strides are {list(strides)}, needs 1")
    for mask in ("ellipsis_mask", "new_axis_mask", "shrink_axis_mask"):
        need(option_int(op, mask) == 0, "option", f"it has a {mask}")
    masked = option_int(op, "begin_mask")
    return tuple(
        0 if masked >> a & 1 else min(b + size if b < 0 else b, size)
        for a, (b, size) in enumerate(zip(begin, source.shape, strict=True))
    )


def _integers(graph: Graph, op: Operator, position: int, count: int) -> tuple[int, ...]:
    tensor = constant(graph, op, position, "INT32", "INT64")
    need(tensor.elements == count, "geometry", f"its input {position} has {tensor.elements} numbers, needs {count}")
    width = 4 if tensor.dtype == "INT32" else 8
    data = tensor.data or b""
    return tuple(int.from_bytes(data[i : i + width], "little", signed=True) for i in range(0, width * count, width))


def _window(source: Tensor, target: Tensor, begin: tuple[int, ...]) -> Alias:
    need(source.dtype == target.dtype, "dtype", "its input and output differ in type")
    inside = len(target.shape) == len(source.shape) and all(
        b >= 0 and b + t <= s for b, t, s in zip(begin, target.shape, source.shape, strict=True)
    )
    need(inside, "geometry", "its output does not lie inside its input")
    whole, part = row_shape(source), row_shape(target)
    if len(source.shape) == 4:
        along_width = rows_run_along_width(source)
        if along_width != rows_run_along_width(target):
            raise Refusal("geometry", "its input and output are cut along different axes")
        first_row, first_column = (begin[2], begin[1]) if along_width else (begin[1], begin[2])
    else:
        outer = [a for a in range(len(source.shape) - 1) if source.shape[a] > 1]
        need(len(outer) <= 1 or not any(begin[:-1]), "axes", "it slices one of several outer axes")
        need(len(outer) <= 1 or source.shape[:-1] == target.shape[:-1], "axes", "it slices one of several outer axes")
        first_row, first_column = max(begin[:-1], default=0), 0
    channel = begin[-1] if begin else 0
    offset = first_column * whole.pixel_bytes + channel * whole.element_bytes
    stride = 0 if part.row_bytes == whole.row_bytes else whole.pixel_bytes
    return Alias(target.index, source.index, first_row, offset, stride, whole.row_bytes)
