"""BATCH_MATMUL by rows: a row of the product needs one row of the left operand, and its batch's right operand whole.

So attention streams. The scores of one query are made, turned into weights and multiplied with the values before the next
query starts. Scores and weights are never whole in memory; keys and values are.
"""

from __future__ import annotations

from math import prod

from tflm_split.arithmetic.requantize import matmul_parameters
from tflm_split.ir.graph import Graph, Operator, Tensor
from tflm_split.kinds import OpKind
from tflm_split.split.operators.common import need, operand, per_tensor, result
from tflm_split.split.row_op import Read, RowOp
from tflm_split.split.rows import SAME_ROW, BatchRows, row_shape

HOW = {
    "BATCH_MATMUL": "a row of the left operand meets all of the right one",
}
"""Operator -> in a few words, how it is cut: for SUPPORTED.md."""


def split_batch_matmul(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """One row op of an int8 BATCH_MATMUL, left [.., rows, depth] by right [.., depth, columns] (transposed with `adj_y`).

    Either operand may be a constant. The right operand has one batch for all, or as many as the left one. Raises Refusal
    for all else, a transposed left operand included.
    """
    left, right, target = operand(graph, op, 0), operand(graph, op, 1), result(graph, op, "INT8")
    for position, tensor in enumerate((left, right)):
        need(tensor.dtype == "INT8", "dtype", f"its input {position} is {tensor.dtype}, needs INT8")
        need(not tensor.is_variable, "variable", f"its input {position} is a variable")
        need(len(tensor.shape) >= 2, "rank", f"its input {position} is no matrix")
    need(not (left.is_constant and right.is_constant), "constant", "all its inputs are constants")
    need(not op.options.get("adj_x"), "option", "its left operand is transposed")
    transposed = bool(op.options.get("adj_y"))
    batches = _batches(left, right, target)
    depth, width = right.shape[-2:] if not transposed else right.shape[:-3:-1]
    need(left.shape[-1] == depth, "geometry", f"a row of {left.shape[-1]} meets columns of {depth}")
    need(target.shape[-2:] == (left.shape[-2], width), "geometry", "its output does not fit its inputs")
    for tensor in (left, right, target):
        per_tensor(tensor)
    read, other, written = row_shape(left), row_shape(right), row_shape(target)
    need(
        (read.rows, read.columns) == (written.rows, written.columns),
        "rows",
        "its left operand and its output are cut along different axes",
    )
    right_batches = prod(right.shape[:-2])
    left_rows, right_rows = written.rows // batches, other.rows // right_batches
    params = {
        **matmul_parameters(left.quantization, right.quantization, target.quantization),
        "left_rows": left_rows,
        "right_rows": right_rows,
        "transposed": int(transposed),
    }
    reads = (Read(left.index, read, SAME_ROW), Read(right.index, other, BatchRows(left_rows, right_rows)))
    macs = written.columns * depth * width
    return (RowOp(op.index, OpKind.BATCH_MATMUL, reads, target.index, written, params, macs_per_step=macs),)


def _batches(left: Tensor, right: Tensor, target: Tensor) -> int:
    """How many products there are. A right operand of one batch serves all batches."""
    rank = max(len(left.shape), len(right.shape)) - 2
    outer, other = ((1,) * (rank + 2 - len(t.shape)) + t.shape[:-2] for t in (left, right))
    need(other == outer or prod(other) == 1, "broadcast", f"its operands have batches {list(outer)} and {list(other)}")
    need(len(target.shape) == rank + 2 and target.shape[:-2] == outer, "geometry", "its output has other batches")
    return prod(outer)
