"""FULLY_CONNECTED: a 1x1 convolution over its batch. With a batch of 1 it can also take in its input piece by piece."""

from __future__ import annotations

import numpy as np

from tflm_split import kinds
from tflm_split.arithmetic.requantize import activation_range, dense_requantization
from tflm_split.ir.graph import ELEMENT_BYTES, Graph, Operator, Tensor
from tflm_split.kinds import OpKind, WeightFlags
from tflm_split.split.operators.common import activation, constant, need, option_text, per_tensor, result, weight_scales
from tflm_split.split.operators.convolution import folded_bias
from tflm_split.split.row_op import Params, Read, RowOp
from tflm_split.split.rows import MAX_COUNT, RowShape, row_shape

HOW = {
    "FULLY_CONNECTED": "row by row of a batch; of batch 1, its input piece by piece into sums",
}
"""Operator -> in a few words, how it is cut: for SUPPORTED.md."""

POINTWISE: Params = {
    "kernel_rows": 1,
    "kernel_columns": 1,
    "stride_rows": 1,
    "stride_columns": 1,
    "dilation_rows": 1,
    "dilation_columns": 1,
    "pad_rows": 0,
    "pad_columns": 0,
    "groups": 1,
}
"""The window and groups of a FULLY_CONNECTED, seen as a convolution."""


def dense_geometry(op: Operator, source: Tensor, target: Tensor, weights: Tensor) -> tuple[RowShape, RowShape]:
    """(input, output) as rows. The input is flattened to [batch, depth]; a row of it gives an output row.

    Weights are [out, depth], of any type. Raises Refusal when shapes do not fit.
    """
    need(len(weights.shape) == 2, "geometry", "its weights are not 2-dimensional")
    need(
        option_text(op, "weights_format") == "DEFAULT",
        "option",
        f"its weights format is {op.options['weights_format']}",
    )
    units, depth = weights.shape
    need(
        units > 0 and depth > 0 and source.elements % depth == 0, "geometry", "its weights and input disagree on depth"
    )
    batch = source.elements // depth
    need(target.elements == batch * units, "geometry", "its output does not fit its weights and input")
    need(batch <= MAX_COUNT, "geometry", f"its batch is {batch}")
    row_shape(target)  # refuses an output that cannot be stored as rows
    return (
        RowShape(batch, 1, depth, ELEMENT_BYTES[source.dtype]),
        RowShape(batch, 1, units, ELEMENT_BYTES[target.dtype]),
    )


def split_dense(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """One row op of a FULLY_CONNECTED of int8 input, weights and output."""
    source, target = activation(graph, op, 0, "INT8"), result(graph, op, "INT8")
    weights = constant(graph, op, 1, "INT8")
    read, written = dense_geometry(op, source, target, weights)
    units, depth = weights.shape
    kernel = np.frombuffer(weights.data or b"", np.int8).reshape(units, depth).astype(np.int64)
    source_scale, source_zero = per_tensor(source)
    target_scale, target_zero = per_tensor(target)
    scales = weight_scales(weights, units, None, each="unit")
    low, high = activation_range(option_text(op, "fused_activation_function"), target_scale, target_zero, target.dtype)
    multipliers, shifts = dense_requantization(source_scale, scales, target_scale, units)
    params: Params = {
        **POINTWISE,
        "input_zero_point": source_zero,
        "output_zero_point": target_zero,
        "output_min": low,
        "output_max": high,
        "bias_offset": folded_bias(graph, op, source_zero, kernel.sum(axis=1)),
        "multipliers_offset": np.array(multipliers, "<i4").tobytes(),
        "shifts_offset": np.array(shifts, np.int8).tobytes(),
        "weights_offset": weights.data or b"",
        "flags": int(WeightFlags.PER_CHANNEL) if len(multipliers) > 1 else 0,
    }
    return (
        RowOp(
            op.index, OpKind.CONV, (Read(source.index, read),), target.index, written, params,
            macs_per_step=units * depth,
        ),
    )  # fmt: skip


_FED_KINDS = {
    OpKind.CONV: (OpKind.DENSE_FEED, 4),
    OpKind.CONV_INT16: (OpKind.DENSE_FEED_INT16, 8),
    OpKind.CONV_FLOAT: (OpKind.DENSE_FEED_FLOAT, 4),
}
"""Kind of convolution -> (the kind that takes in pieces instead, bytes of one accumulator)."""


def is_dense(op: RowOp) -> bool:
    """Whether a row op multiplies a matrix with its whole input, once.

    So does a FULLY_CONNECTED of batch 1, and a convolution of one pixel.
    """
    shape = op.reads[0].shape
    return (
        op.kind in _FED_KINDS
        and shape.rows == shape.columns == 1
        and op.params["kernel_rows"] == op.params["kernel_columns"] == op.params["groups"] == 1
        and op.params["pad_rows"] == op.params["pad_columns"] == 0
    )


def fed_dense(op: RowOp, pieces: RowShape) -> RowOp:
    """The same FULLY_CONNECTED of batch 1. It takes in its input as the rows of `pieces`, into accumulators."""
    units = op.output_shape.channels
    kind, accumulator_bytes = _FED_KINDS[op.kind]
    return RowOp(
        op.source,
        kind,
        (Read(op.reads[0].tensor, pieces),),
        op.output,
        op.output_shape,
        {field.name: op.params[field.name] for field in kinds.of(kind).record.fields},
        accumulator_bytes=accumulator_bytes * units,
        macs_per_step=units * pieces.columns * pieces.channels,
    )
