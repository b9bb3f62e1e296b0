"""MEAN over the spatial axes: rows are summed as they come, requantised once at the end."""

from __future__ import annotations

import numpy as np

from tflm_split.arithmetic.requantize import mean_parameters
from tflm_split.ir.graph import Graph, Operator
from tflm_split.program.format import OpKind
from tflm_split.split.operators.common import activation, constant, need, per_tensor, result
from tflm_split.split.row_op import Read, RowOp
from tflm_split.split.rows import RowShape, row_shape


def split_mean(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """[1, H, W, C] over H and W, or [1, T, C] over T, with or without the reduced dimensions kept."""
    source, target = activation(graph, op, 0, "INT8"), result(graph, op, "INT8")
    axes_data = constant(graph, op, 1, "INT32")
    rank = len(source.shape)
    axes = {int(a) % rank for a in np.frombuffer(axes_data.data or b"", "<i4")} if rank else set()
    need(rank in (3, 4) and axes == set(range(1, rank - 1)), "axes", f"it reduces axes {sorted(axes)} of {rank}")
    need(source.shape[0] == 1, "batch", f"batch is {source.shape[0]}, needs 1")
    shape = row_shape(source)
    need(target.elements == shape.channels, "geometry", "its output does not have one element per channel")
    row_shape(target)  # its rows are what is stored
    count = shape.rows * shape.columns
    need(count < 2**23, "overflow", "its sum could leave 32 bits")
    per_tensor(source)
    per_tensor(target)
    params = mean_parameters(source.quantization, target.quantization, count)
    return (
        RowOp(
            op.index,
            OpKind.SUM_FEED,
            (Read(source.index, shape),),
            target.index,
            RowShape(1, 1, shape.channels),
            params,
            accumulator_bytes=4 * shape.channels,
        ),
    )
