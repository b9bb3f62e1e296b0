"""TRANSPOSE_CONV by rows: an output row gathers from the few input rows whose kernels reach it.

TFLM scatters every input pixel over an int32 buffer of the whole output. Gathering gives the same sums without it.
"""

from __future__ import annotations

import numpy as np

from tflm_split.arithmetic.int16 import check_wide_shifts
from tflm_split.arithmetic.requantize import activation_range, conv_requantization
from tflm_split.errors import Refusal
from tflm_split.ir.graph import Graph, Operator, Tensor
from tflm_split.kinds import OpKind, WeightFlags
from tflm_split.kinds.limits import MAX_WINDOW_ROWS
from tflm_split.split.operators.common import (
    activation,
    bias_of,
    constant,
    need,
    option_int,
    option_text,
    result,
    weight_scales,
)
from tflm_split.split.operators.convolution import requantized
from tflm_split.split.operators.int16 import symmetric
from tflm_split.split.operators.window import Axis, same_pad
from tflm_split.split.row_op import Params, Read, RowOp
from tflm_split.split.rows import TransposedWindow, row_shape, shared_axis_is_width

HOW = {
    "TRANSPOSE_CONV": "a row gathers from the rows whose kernels reach it; no buffer of sums",
}
"""Operator -> in a few words, how it is cut: for SUPPORTED.md."""


def split_transpose_conv(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """One row op. Operands: output shape, int8 weights [out, height, width, in], input (int8 or int16), optional bias.

    TFLM takes the output's size from the output tensor, so the shape operand only has to be a constant.
    """
    need(len(op.inputs) in (3, 4), "arity", f"it has {len(op.inputs)} inputs")
    constant(graph, op, 0, "INT32")
    source = activation(graph, op, 2, "INT8", "INT16")
    target = result(graph, op, source.dtype)
    weights = constant(graph, op, 1, "INT8")
    need(
        len(weights.shape) == len(source.shape) == len(target.shape) == 4,
        "geometry",
        "its weights, input or output are not 4-dimensional",
    )
    channels_out, height, width, channels_in = weights.shape
    rows = transposed_axis(op, "h", height, target.shape[1])
    columns = transposed_axis(op, "w", width, target.shape[2])
    transposed = shared_axis_is_width(source, target)
    if transposed:
        rows, columns = columns, rows
    read, written = row_shape(source), row_shape(target)
    need(channels_in == read.channels, "geometry", "its weights and input disagree on channels")
    need(channels_out == written.channels, "geometry", "its weights and output disagree on channels")
    need(
        rows.kernel <= MAX_WINDOW_ROWS,
        "geometry",
        f"its window spans {rows.kernel} rows, at most {MAX_WINDOW_ROWS} can be read at once",
    )
    kernel = np.frombuffer(weights.data or b"", np.int8).reshape(weights.shape)
    if transposed:
        kernel = kernel.transpose(0, 2, 1, 3)
    kind, fields = _arithmetic(graph, op, weights, source, target)
    window = {
        "kernel_rows": rows.kernel,
        "kernel_columns": columns.kernel,
        "stride_rows": rows.stride,
        "stride_columns": columns.stride,
        "pad_rows": rows.pad,
        "pad_columns": columns.pad,
    }
    return (
        RowOp(
            op.index,
            kind,
            (Read(source.index, read, TransposedWindow(rows.kernel, rows.stride, rows.pad)),),
            target.index,
            written,
            {**window, **fields, "weights_offset": kernel.tobytes()},
            macs_per_step=source.elements * channels_out * height * width // written.rows,
        ),
    )


def _arithmetic(graph: Graph, op: Operator, weights: Tensor, source: Tensor, target: Tensor) -> tuple[OpKind, Params]:
    """The kind of step for the tensors' type, and the fields that turn its sums into outputs."""
    channels = weights.shape[0]
    if source.dtype == "INT8":
        # Sums of 0 leave the bias as it is: how many taps meet an input differs from pixel to pixel.
        fields = requantized(graph, op, weights, 0, np.zeros(channels, np.int64), source, target, bias_position=3)
        return OpKind.TRANSPOSE_CONV, fields
    scales = weight_scales(weights, channels, 0)
    multipliers, shifts = conv_requantization(symmetric(source), scales, symmetric(target), channels)
    check_wide_shifts(shifts)
    low, high = activation_range(option_text(op, "fused_activation_function"), symmetric(target), 0, "INT16")
    bias = bias_of(graph, op, 3, channels, "INT64")  # the only type TFLM reads here
    return OpKind.TRANSPOSE_CONV_INT16, {
        "output_min": low,
        "output_max": high,
        "bias_offset": bytes(8 * channels) if bias is None else bias.data or b"",
        "multipliers_offset": np.array(multipliers, "<i4").tobytes(),
        "shifts_offset": np.array(shifts, np.int8).tobytes(),
        "flags": int(WeightFlags.PER_CHANNEL) if len(multipliers) > 1 else 0,
    }


def transposed_axis(op: Operator, letter: str, kernel: int, outputs: int) -> Axis:
    """The window along axis `letter` (h or w), whose output has `outputs` indices.

    Its padding is that of the convolution that reads this output (transpose_conv.cc). Raises Refusal when it does not fit.
    """
    stride = option_int(op, f"stride_{letter}")
    need(
        0 < stride <= 0xFFFF and 0 < kernel <= 0xFFFF, "geometry", "its stride or kernel is not positive, or too large"
    )
    match option_text(op, "padding"):
        case "SAME":
            pad = same_pad(outputs, -(-outputs // stride), kernel, stride, 1)
        case "VALID":
            need(
                kernel <= outputs + stride, "geometry", f"its output has {outputs} along {letter}, less than its kernel"
            )
            pad = 0
        case other:
            raise Refusal("padding", f"its padding is {other!r}")
    need(0 <= pad <= 0xFFFF, "geometry", "its window is too large")
    return Axis(kernel, stride, 1, pad)
