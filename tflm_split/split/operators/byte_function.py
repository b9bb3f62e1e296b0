"""BYTE_FUNCTION: what `rewrite.fuse_byte_functions` makes of a chain of element-wise operators, one table."""

from __future__ import annotations

from tflm_split.ir.graph import Graph, Operator
from tflm_split.kinds import OpKind
from tflm_split.split.operators.common import activation, need, result
from tflm_split.split.row_op import Read, RowOp
from tflm_split.split.rows import SAME_ROW, row_shape

BYTE_FUNCTION = "BYTE_FUNCTION"
"""A kind of operator that no file has; its option `table` is 256 bytes as hexadecimal digits."""


def split_byte_function(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """One look-up per element."""
    source, target = activation(graph, op, 0, "INT8", "UINT8"), result(graph, op, "INT8", "UINT8")
    need(source.shape == target.shape, "geometry", "its input and output differ in shape")
    digits = op.options.get("table")
    need(isinstance(digits, str) and len(digits) == 512, "option", "it has no table")
    shape = row_shape(source)
    reads = (Read(source.index, shape, SAME_ROW, may_be_overwritten=True),)
    table = bytes.fromhex(str(digits))
    return (RowOp(op.index, OpKind.LUT, reads, target.index, shape, {"table_offset": table}),)
