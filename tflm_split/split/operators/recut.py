"""RECUT: a copy of some elements in a row, cut into other rows. `rewrite/rows_alike.py` makes it."""

from __future__ import annotations

from tflm_split.ir.graph import Graph, Operator
from tflm_split.kinds import OpKind
from tflm_split.split.operators.common import need, operand, option_int, result
from tflm_split.split.operators.picked import MOVED_TYPES
from tflm_split.split.row_op import Read, RowOp
from tflm_split.split.rows import RecutRows, row_shape

RECUT = "RECUT"
"""A kind of operator that no file has: output element i is input element `first` + i. Its only option is `first`."""


def split_recut(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """One row op. A row reads all rows of which it has elements."""
    source, target = operand(graph, op, 0), result(graph, op, *MOVED_TYPES)
    need(not source.is_constant and not source.is_variable, "constant", "its input is not an activation")
    need(source.dtype == target.dtype, "dtype", "its input and output differ in type")
    first = option_int(op, "first", 0)
    read, written = row_shape(source), row_shape(target)
    need(0 <= first <= source.elements - target.elements, "geometry", "its output does not lie inside its input")
    window = RecutRows(read.columns * read.channels, written.columns * written.channels, first)
    return (
        RowOp(op.index, OpKind.RECUT, (Read(source.index, read, window),), target.index, written, {"first": first}),
    )
