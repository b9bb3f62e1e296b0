"""GATHER from a constant table, an embedding: one output row per index. Indices are known at run time only."""

from __future__ import annotations

from math import prod

from tflm_split.ir.graph import Graph, Operator
from tflm_split.kinds import OpKind
from tflm_split.split.operators.common import activation, constant, need, operand, option_int, result
from tflm_split.split.operators.picked import gathered
from tflm_split.split.row_op import Params, Read, RowOp
from tflm_split.split.rows import MAX_COUNT, SAME_ROW, RowShape, row_shape

HOW = {
    "GATHER": "from a constant table along its first axis: a row per index; constant indices pick parts of rows",
}
"""Operator -> in a few words, how it is cut: for SUPPORTED.md."""


def split_gather(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """One row op: whole entries of an int8 or float32 table [entries, ..], looked up by int32 indices along the first axis.

    A GATHER from an activation needs constant indices, and is a pick (`picked.py`). An index outside the table gives the
    table's first or last entry. TFLM does not check, and reads beyond the table.
    """
    if not operand(graph, op, 0).is_constant:
        return gathered(graph, op)
    table, indices = constant(graph, op, 0, "INT8", "FLOAT32"), activation(graph, op, 1, "INT32")
    target = result(graph, op, table.dtype)
    rank = len(table.shape)
    axis, batches = option_int(op, "axis", 0), option_int(op, "batch_dims", 0)
    need(rank > 1, "rank", "its table has no rows")
    need(axis in (0, -rank) and batches == 0, "axes", f"it gathers along axis {axis}, with {batches} batch dimensions")
    entry_bytes = prod(table.shape[1:]) * row_shape(target).element_bytes
    need(target.shape == indices.shape + table.shape[1:], "geometry", "its output does not fit its table and indices")
    need(row_shape(target).row_bytes == entry_bytes, "rows", "its output is not cut into entries of its table")
    need(0 < indices.elements <= MAX_COUNT, "geometry", f"it has {indices.elements} indices")
    reads = (Read(indices.index, RowShape(indices.elements, 1, 1, 4), SAME_ROW),)
    params: Params = {"table_offset": table.data or b"", "entry_count": table.shape[0]}
    written = RowShape(indices.elements, 1, entry_bytes)
    return (RowOp(op.index, OpKind.GATHER, reads, target.index, written, params),)
