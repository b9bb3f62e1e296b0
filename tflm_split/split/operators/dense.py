"""FULLY_CONNECTED: a 1x1 convolution over its batch; of batch 1, it can also take its input piece by piece."""

from __future__ import annotations

import numpy as np

from tflm_split.arithmetic.requantize import activation_range, dense_requantization
from tflm_split.ir.graph import Graph, Operator
from tflm_split.program.format import OpKind, WeightFlags
from tflm_split.split.operators.common import activation, constant, need, option_text, per_tensor, result
from tflm_split.split.operators.convolution import folded_bias
from tflm_split.split.row_op import Read, RowOp
from tflm_split.split.rows import MAX_COUNT, RowShape, row_shape


def split_dense(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """Weights [out, depth] int8. The input is flattened to [batch, depth]; each batch row is an output row."""
    source, target = activation(graph, op, 0, "INT8"), result(graph, op, "INT8")
    weights = constant(graph, op, 1, "INT8")
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
    row_shape(target)  # its rows are what is stored
    kernel = np.frombuffer(weights.data or b"", np.int8).reshape(units, depth).astype(np.int64)
    source_scale, source_zero = per_tensor(source)
    target_scale, target_zero = per_tensor(target)
    quantization = weights.quantization
    need(quantization is not None, "quantization", "its weights are not quantised")
    assert quantization is not None
    need(all(z == 0 for z in quantization.zero_points), "quantization", "its weights have a zero point that is not 0")
    need(len(quantization.scales) in (1, units), "quantization", "its weights have neither one scale nor one per unit")
    low, high = activation_range(option_text(op, "fused_activation_function"), target_scale, target_zero, target.dtype)
    multipliers, shifts = dense_requantization(source_scale, quantization.scales, target_scale, units)
    params: dict[str, int | float | bytes] = {
        "kernel_rows": 1,
        "kernel_columns": 1,
        "stride_rows": 1,
        "stride_columns": 1,
        "dilation_rows": 1,
        "dilation_columns": 1,
        "pad_rows": 0,
        "pad_columns": 0,
        "groups": 1,
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
    reads = (Read(source.index, RowShape(batch, 1, depth)),)
    return (
        RowOp(
            op.index, OpKind.CONV, reads, target.index, RowShape(batch, 1, units), params, macs_per_step=units * depth
        ),
    )


_FED_FIELDS = (
    "input_zero_point", "output_zero_point", "output_min", "output_max", "bias_offset", "multipliers_offset",
    "shifts_offset", "weights_offset", "flags",
)  # fmt: skip


def is_dense(op: RowOp) -> bool:
    """Whether a row op is one product of a matrix with its whole input: FULLY_CONNECTED of batch 1, or a convolution like it."""
    shape = op.reads[0].shape
    return (
        op.kind is OpKind.CONV
        and shape.rows == shape.columns == 1
        and op.params["kernel_rows"] == op.params["kernel_columns"] == op.params["groups"] == 1
        and op.params["pad_rows"] == op.params["pad_columns"] == 0
    )


def fed_dense(op: RowOp, pieces: RowShape) -> RowOp:
    """The same FULLY_CONNECTED of batch 1, taking in its input as `pieces` into int32 accumulators."""
    units = op.output_shape.channels
    return RowOp(
        op.source,
        OpKind.DENSE_FEED,
        (Read(op.reads[0].tensor, pieces),),
        op.output,
        op.output_shape,
        {name: op.params[name] for name in _FED_FIELDS},
        accumulator_bytes=4 * units,
        macs_per_step=units * pieces.row_bytes,
    )
