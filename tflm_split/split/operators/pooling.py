"""AVERAGE_POOL_2D and MAX_POOL_2D by rows. An average over the whole input takes in row after row as they are made."""

from __future__ import annotations

from tflm_split.arithmetic.requantize import activation_range, average_pool_sum_parameters
from tflm_split.ir.graph import Graph, Operator, Tensor
from tflm_split.kinds import OpKind
from tflm_split.kinds.limits import MAX_SUMMED
from tflm_split.split.operators.common import activation, need, option_int, option_text, per_tensor, result
from tflm_split.split.operators.pixel_sums import summed_over_pixels
from tflm_split.split.operators.window import SlidingWindow, sliding_window
from tflm_split.split.row_op import Read, RowOp

HOW = {
    "AVERAGE_POOL_2D": "by rows; over the whole map, rows taken in as they come",
    "MAX_POOL_2D": "by rows",
}
"""Operator -> in a few words, how it is cut: for SUPPORTED.md."""


def pool_window(op: Operator, source: Tensor, target: Tensor) -> SlidingWindow:
    """The window of a pool of any element type. Raises Refusal when it does not fit its tensors."""
    kernel = (option_int(op, "filter_height"), option_int(op, "filter_width"))
    window = sliding_window(op, source, target, kernel, dilated=False)
    need(window.source.channels == window.target.channels, "geometry", "its input and output disagree on channels")
    return window


def covers_input(window: SlidingWindow) -> bool:
    """Whether there is one output pixel, and it sees every input pixel."""
    return (
        window.target.rows == window.target.columns == 1
        and window.rows.kernel - window.rows.pad >= window.source.rows
        and window.columns.kernel - window.columns.pad >= window.source.columns
    )


def split_pool(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """One row op of an int8 pool. TFLM does not requantise a pool, so neither does this."""
    source, target = activation(graph, op, 0, "INT8"), result(graph, op, "INT8")
    window = pool_window(op, source, target)
    scale, zero_point = per_tensor(target)
    activation_name = option_text(op, "fused_activation_function")
    low, high = activation_range(activation_name, scale, zero_point, target.dtype)
    limits = {"output_min": low, "output_max": high}
    shape = window.source
    if op.kind == "AVERAGE_POOL_2D" and covers_input(window) and shape.rows > 1:
        count = shape.rows * shape.columns
        need(count <= MAX_SUMMED, "overflow", "its sum could leave 32 bits")
        params = average_pool_sum_parameters(target.quantization, activation_name, count)
        return (summed_over_pixels(op, OpKind.SUM_FEED, source, target, params),)
    window.need_readable()
    kind = OpKind.AVERAGE_POOL if op.kind == "AVERAGE_POOL_2D" else OpKind.MAX_POOL
    reads = (Read(source.index, shape, window.row_window),)
    return (RowOp(op.index, kind, reads, target.index, window.target, {**window.params(), **limits}),)
