"""FILLED: the elements of a tensor in rows of a map, and constants behind the last of them. `rewrite/fold_signals.py` makes it.

input    a b c d e f g h i j
output   | a b c d |  | e f g h |  | i j 0 0 |
"""

from __future__ import annotations

from dataclasses import replace

from tflm_split.ir.graph import Graph, Operator, Tensor
from tflm_split.kinds import OpKind
from tflm_split.split.operators.common import activation, constant, need, option_int, result
from tflm_split.split.operators.pad import COPY
from tflm_split.split.operators.picked import MOVED_TYPES
from tflm_split.split.row_op import Placement, Read, RowOp
from tflm_split.split.rows import RecutRows, RowShape, row_shape

FILLED = "FILLED"
"""A kind of operator that no file has. Its first `pixels` pixels are those of its input. A constant is what is missing of the last
row of these, another one all rows behind it; either may be absent."""


def split_filled(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """A copy of the rows that are whole, two that make the one that is not, and a copy of constant rows."""
    target = result(graph, op, *MOVED_TYPES)
    source, whole, pixels = activation(graph, op, 0, target.dtype), row_shape(target), option_int(op, "pixels")
    need(0 < pixels < whole.rows * whole.columns, "geometry", "nothing is filled")
    need(pixels * whole.channels <= source.elements, "geometry", "its input is too short")
    rows, rest = divmod(pixels, whole.columns)
    made = [_recut(op, source, target, replace(whole, rows=rows), 0)] if rows else []
    if rest:
        made.append(_recut(op, source, target, replace(whole, rows=1, columns=rest), rows, whole.pixel_bytes))
        made.append(_constant(graph, op, 1, replace(whole, rows=1, columns=whole.columns - rest), (rows, rest)))
        rows += 1
    if rows < whole.rows:
        made.append(_constant(graph, op, 2, replace(whole, rows=whole.rows - rows), (rows, 0)))
    return tuple(made)


def _constant(graph: Graph, op: Operator, position: int, written: RowShape, at: tuple[int, int]) -> RowOp:
    """A copy of a constant of just that size, to this row and column."""
    filler, (row, column) = constant(graph, op, position, graph.tensors[op.outputs[0]].dtype), at
    need(filler.bytes == written.bytes, "geometry", "its constant does not fill its rows")
    read, placement = Read(filler.index, written), Placement(row, column * written.pixel_bytes)
    stride = written.pixel_bytes if column else 0
    return RowOp(op.index, OpKind.PAD, (read,), op.outputs[0], written, COPY, placement, stride)


def _recut(
    op: Operator, source: Tensor, target: Tensor, written: RowShape, first_row: int, pixel_stride_bytes: int = 0
) -> RowOp:
    """A copy into rows from `first_row` on; all rows before it are as long as those of `target`."""
    read, first = row_shape(source), first_row * (whole := row_shape(target)).columns * whole.channels
    window = RecutRows(read.columns * read.channels, written.columns * written.channels, first)
    return RowOp(
        op.index, OpKind.RECUT, (Read(source.index, read, window),), target.index, written, {"first": first},
        Placement(first_row), pixel_stride_bytes,
    )  # fmt: skip
