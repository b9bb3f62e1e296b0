"""FETCH_ROWS, EMIT_ROWS: tensors that come or go a few rows at a time, of which some rows live at a time.

`rewrite/stream_input.py` puts the one in front of the network, and `rewrite/stream_output.py` the other behind it. No file
holds them.
"""

from __future__ import annotations

from tflm_split.errors import Refusal
from tflm_split.ir.graph import ELEMENT_BYTES, Graph, Operator, Tensor
from tflm_split.kinds import OpKind
from tflm_split.split.operators.common import operand, option_int, result
from tflm_split.split.row_op import Read, RowOp
from tflm_split.split.rows import RowShape, RowsOfCall, row_shape

FETCH_ROWS = "FETCH_ROWS"
"""The kind of operator that takes in the rows of a streamed input. Its option `flip` is the op's parameter."""
EMIT_ROWS = "EMIT_ROWS"
"""The kind of operator that hands over the rows of a streamed output."""


def split_fetch(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """One row op: row r of the output is the row that the caller has put into its place among the rows of the call."""
    source, target = operand(graph, op, 0), result(graph, op, *ELEMENT_BYTES)
    shape = row_shape(target)
    brought = _rows_of_call(source, shape)
    read = Read(source.index, brought, RowsOfCall(brought.rows))
    return (RowOp(op.index, OpKind.FETCH, (read,), target.index, shape, {"flip": option_int(op, "flip", 0)}),)


def split_emit(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """One row op, with a step per row of its input: it puts the row into its place among the rows of the call."""
    source, target = operand(graph, op, 0), result(graph, op, *ELEMENT_BYTES)
    shape = row_shape(source)
    handed = _rows_of_call(target, shape)
    return (RowOp(op.index, OpKind.EMIT, (Read(source.index, shape),), target.index, handed, {"flip": 0}),)


def _rows_of_call(tensor: Tensor, whole: RowShape) -> RowShape:
    """`tensor`, which holds rows of one call, cut like the whole tensor."""
    rows_per_call, rest = divmod(tensor.bytes, whole.row_bytes)
    if rest or not 1 <= rows_per_call <= whole.rows:
        raise Refusal("geometry", "a call has no whole rows")
    return RowShape(rows_per_call, whole.columns, whole.channels, whole.element_bytes)
