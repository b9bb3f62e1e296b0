"""GATHER from a constant table, as an embedding does: one output row per index, known at run time only."""

from __future__ import annotations

from math import prod

from tflm_split.ir.graph import Graph, Operator
from tflm_split.kinds import OpKind
from tflm_split.split.operators.common import activation, constant, need, option_int, result
from tflm_split.split.row_op import Params, Read, RowOp
from tflm_split.split.rows import MAX_COUNT, SAME_ROW, RowShape, row_shape


def split_gather(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """Whole entries of an int8 table along its first axis, by int32 indices.

    An index outside the table gives its first or last entry; TFLM, which does not look, reads whatever lies there.
    """
    table, indices = constant(graph, op, 0, "INT8"), activation(graph, op, 1, "INT32")
    target = result(graph, op, "INT8")
    rank = len(table.shape)
    axis, batches = option_int(op, "axis", 0), option_int(op, "batch_dims", 0)
    need(rank > 1, "rank", "its table has no rows")
    need(axis in (0, -rank) and batches == 0, "axes", f"it gathers along axis {axis}, with {batches} batch dimensions")
    entry_bytes = prod(table.shape[1:])
    need(target.shape == indices.shape + table.shape[1:], "geometry", "its output does not fit its table and indices")
    need(row_shape(target).row_bytes == entry_bytes, "rows", "its output is not cut into entries of its table")
    need(0 < indices.elements <= MAX_COUNT, "geometry", f"it has {indices.elements} indices")
    reads = (Read(indices.index, RowShape(indices.elements, 1, 1, 4), SAME_ROW),)
    params: Params = {"table_offset": table.data or b"", "entry_count": table.shape[0]}
    written = RowShape(indices.elements, 1, entry_bytes)
    return (RowOp(op.index, OpKind.GATHER, reads, target.index, written, params),)
