"""CONCATENATION and PACK: one copy per input, into its place.

`regions.py` drops a copy where the input's producer can write there itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tflm_split.errors import Refusal
from tflm_split.ir.graph import Graph, Operator, Tensor
from tflm_split.kinds import OpKind
from tflm_split.split.operators.common import activation, need, option_int, option_text, result
from tflm_split.split.operators.pad import COPY
from tflm_split.split.row_op import Placement, Read, RowOp
from tflm_split.split.rows import row_shape, rows_run_along_width

HOW = {
    "CONCATENATION": "rows written in place by what makes them, where that is possible, else copied",
    "PACK": "copied row by row; of one tensor, free",
}
"""Operator -> in a few words, how it is cut: for SUPPORTED.md."""


def split_concatenation(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """One copy per input, along any axis but the batch. TFLM copies bytes without requantising, and so does this."""
    target = result(graph, op, "INT8", "INT16", "FLOAT32")
    need(option_text(op, "fused_activation_function") == "NONE", "activation", "it has a fused activation")
    need(len(target.shape) > 0, "rank", "it joins scalars")
    sources = [activation(graph, op, i, target.dtype) for i in range(len(op.inputs))]
    return _joined(op, sources, target, _axis(op, target, option_int(op, "axis")))


def split_pack(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """PACK as a concatenation: each input gets one more axis, of one element."""
    target = result(graph, op, "INT8")
    need(len(target.shape) > 0, "rank", "it makes a scalar")
    axis = _axis(op, target, option_int(op, "axis", 0))
    sources = []
    for i in range(len(op.inputs)):
        source = activation(graph, op, i, "INT8")
        sources.append(replace(source, shape=(*source.shape[:axis], 1, *source.shape[axis:])))
    return _joined(op, sources, target, axis)


def _axis(op: Operator, target: Tensor, axis: int) -> int:
    """The axis counted from the front; raises Refusal when the output has no such axis."""
    rank = len(target.shape)
    need(-rank <= axis < rank, "axes", f"it joins along axis {axis} of {rank}")
    return axis % rank


def _joined(op: Operator, sources: Sequence[Tensor], target: Tensor, axis: int) -> tuple[RowOp, ...]:
    shape = row_shape(target)
    rank = len(target.shape)
    along = _along(axis, target)
    copies = []
    position = 0
    for source in sources:
        part = row_shape(source)
        need(len(source.shape) == rank, "geometry", "its inputs differ in rank")
        need(
            along == "rows" or part.rows == shape.rows,
            "geometry",
            "its inputs and output are cut along different axes",
        )
        if along == "rows":
            need(part.row_bytes == shape.row_bytes, "geometry", "its inputs differ in row size")
            placement = Placement(first_row=position)
            position += part.rows
        elif along == "columns":
            placement = Placement(offset_bytes=position * shape.pixel_bytes)
            position += part.columns
        else:
            placement = Placement(offset_bytes=position)
            position += part.pixel_bytes
        stride = 0 if along == "rows" else shape.pixel_bytes
        copies.append(
            RowOp(op.index, OpKind.PAD, (Read(source.index, part),), target.index, part, COPY, placement, stride)
        )
    expected = {"rows": shape.rows, "columns": shape.columns, "channels": shape.pixel_bytes}[along]
    need(position == expected, "geometry", "its inputs do not add up to its output")
    return tuple(copies)


def _along(axis: int, target: Tensor) -> str:
    rank = len(target.shape)
    if axis == rank - 1:
        return "channels"
    if rank < 4:
        need(all(d == 1 for d in target.shape[:axis]), "axes", f"it joins axis {axis} of {rank}")
        return "rows"  # whole inputs, one after the other
    if axis == 0:
        raise Refusal("batch", "it joins batches")
    if rows_run_along_width(target):
        if axis == 2:
            return "rows"
        raise Refusal("axes", "it joins maps of height 1 along their height")
    return "rows" if axis == 1 else "columns"
