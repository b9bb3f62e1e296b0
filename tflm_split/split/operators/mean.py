"""MEAN, SUM and REDUCE_MAX: over the spatial axes rows are taken in as they come; over the columns, row by row; over the
channels, pixel by pixel.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tflm_split.arithmetic.requantize import mean_parameters, reduce_max_parameters, sum_parameters
from tflm_split.ir.graph import Graph, Operator, Tensor
from tflm_split.kinds import OpKind
from tflm_split.kinds.limits import MAX_SUMMED
from tflm_split.split.operators.common import activation, constant, need, per_tensor, result
from tflm_split.split.row_op import Read, RowOp
from tflm_split.split.rows import SAME_ROW, RowShape, row_shape

HOW = {
    "MEAN": "over the whole map, rows taken in as they come; over other axes next to each other, row by row (int8)",
    "SUM": "over the whole map, rows taken in as they come; over other axes next to each other, row by row",
    "REDUCE_MAX": "over the whole map, rows taken in as they come; over other axes as a pool",
}
"""Operator -> in a few words, how it is cut: for SUPPORTED.md."""


def split_mean(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """All axes but the batch and the channels, the width alone, or the channels alone; reduced dimensions kept or not."""
    source, target = activation(graph, op, 0, "INT8"), result(graph, op, "INT8")
    axes_data = constant(graph, op, 1, "INT32")
    rank = len(source.shape)
    given = np.frombuffer(axes_data.data or b"", "<i4").tolist()
    need(all(-rank <= a < rank for a in given), "axes", f"it reduces axes {given} of {rank}")
    # Whether an axis of one element is reduced or not makes no difference.
    axes = {a % rank for a in given if source.shape[a % rank] > 1}
    outer = {a for a in range(1, rank - 1) if source.shape[a] > 1}
    need(rank > 0 and source.shape[0] == 1, "batch", f"batch is {source.shape[0] if rank else 0}, needs 1")
    shape = row_shape(source)
    row_shape(target)  # its rows are what is stored
    if axes == outer:
        return (_over_rows(op, source, target, shape),)
    if rank == 4 and axes <= {2} and any(a % rank == 2 for a in given):
        return (_over_columns(op, source, target, shape),)
    alone = not axes and shape.channels == 1  # each element is a pixel's sum
    need(axes == {rank - 1} or alone, "axes", f"it reduces axes {sorted({a % rank for a in given})} of {rank}")
    return (_over_channels(op, source, target, shape),)


def _over_rows(op: Operator, source: Tensor, target: Tensor, shape: RowShape) -> RowOp:
    need(target.elements == shape.channels, "geometry", "its output does not have one element per channel")
    params = _parameters(op, source, target, shape.rows * shape.columns)
    reads = (Read(source.index, shape),)
    written = RowShape(1, 1, shape.channels)
    bytes_of_sums = 4 * shape.channels
    return RowOp(op.index, OpKind.SUM_FEED, reads, target.index, written, params, accumulator_bytes=bytes_of_sums)


def _over_columns(op: Operator, source: Tensor, target: Tensor, shape: RowShape) -> RowOp:
    need(op.kind != "REDUCE_MAX", "axes", "it looks for the largest of each row")
    need(row_shape(target).row_bytes == shape.channels, "rows", "its input and output are cut along different axes")
    params = _parameters(op, source, target, shape.columns)
    written = RowShape(shape.rows, 1, shape.channels)
    return RowOp(op.index, OpKind.ROW_SUM, (Read(source.index, shape, SAME_ROW),), target.index, written, params)


def _over_channels(op: Operator, source: Tensor, target: Tensor, shape: RowShape) -> RowOp:
    need(op.kind != "REDUCE_MAX", "axes", "it looks for the largest channel")
    need(row_shape(target).row_bytes == shape.columns, "rows", "its input and output are cut along different axes")
    params = _parameters(op, source, target, shape.channels)
    written = RowShape(shape.rows, shape.columns, 1)
    return RowOp(op.index, OpKind.PIXEL_SUM, (Read(source.index, shape, SAME_ROW),), target.index, written, params)


def _parameters(op: Operator, source: Tensor, target: Tensor, count: int) -> Mapping[str, int]:
    need(count <= MAX_SUMMED, "overflow", "its sum could leave 32 bits")
    quantization = per_tensor(source), per_tensor(target)
    if op.kind == "REDUCE_MAX":
        need(quantization[0] == quantization[1], "quantization", "TFLM wants its input and output quantised alike")
        return reduce_max_parameters(count)
    parameters = sum_parameters if op.kind == "SUM" else mean_parameters
    return parameters(source.quantization, target.quantization, count)
