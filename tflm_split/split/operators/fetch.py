"""FETCH_ROWS: an input that comes a few rows at a time becomes a tensor of which some rows live at a time.

`rewrite/stream_input.py` puts this operator in front of the network. No file holds it.
"""

from __future__ import annotations

from tflm_split.ir.graph import ELEMENT_BYTES, Graph, Operator
from tflm_split.kinds import OpKind
from tflm_split.split.operators.common import need, operand, option_int, result
from tflm_split.split.row_op import Read, RowOp
from tflm_split.split.rows import RowShape, RowsOfCall, row_shape

FETCH_ROWS = "FETCH_ROWS"
"""The kind of operator that takes in the rows of a streamed input. Its option `flip` is the op's parameter."""


def split_fetch(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """One row op: row r of the output is the row that the caller has put into its place among the rows of the call."""
    source, target = operand(graph, op, 0), result(graph, op, *ELEMENT_BYTES)
    shape = row_shape(target)
    rows_per_call, rest = divmod(source.bytes, shape.row_bytes)
    need(rest == 0 and 1 <= rows_per_call <= shape.rows, "geometry", "a call brings no whole rows")
    brought = RowShape(rows_per_call, shape.columns, shape.channels, shape.element_bytes)
    read = Read(source.index, brought, RowsOfCall(rows_per_call))
    return (RowOp(op.index, OpKind.FETCH, (read,), target.index, shape, {"flip": option_int(op, "flip", 0)}),)
