"""CONV and DEPTHWISE, of int8, int16 and float32."""

from __future__ import annotations

import numpy as np

from tflm_split.kinds import OpKind
from tflm_split.program.types import Op, View
from tflm_split.verify import oracle_int8, oracle_int16
from tflm_split.verify.known import rows, windows
from tflm_split.verify.known.entry import Known
from tflm_split.verify.known.sharing import Shares, one_column
from tflm_split.verify.operands import Floats, Operands, Row
from tflm_split.verify.oracle_float import limited


def convolved(step: Operands) -> Row:
    """Sums of products with int8 weights, without the bias."""
    taps, _ = windows.taps(step, step.p["input_zero_point"])
    columns, out_channels, groups = step.output.column_count, step.output.channel_count, step.p["groups"]
    per_group, depth = out_channels // groups, taps.shape[3] // groups
    weights = step.constant("weights_offset", np.int8).reshape(out_channels, -1)
    sums = np.empty((columns, out_channels), np.int64)
    for g in range(groups):
        patch = taps[..., g * depth : (g + 1) * depth].transpose(2, 0, 1, 3)
        kernel = weights[g * per_group : (g + 1) * per_group]
        # Doubles hold these sums exactly (below 2**53), and numpy multiplies matrices of doubles fast.
        product = patch.reshape(columns, -1).astype(np.float64) @ kernel.T.astype(np.float64)
        sums[:, g * per_group : (g + 1) * per_group] = product.astype(np.int64)
    return sums


def _depthwise_sums(step: Operands, taps: Row) -> Row:
    weights = step.constant("weights_offset", np.int8).reshape(*taps.shape[:2], 1, step.output.channel_count)
    total: Row = (np.repeat(taps, step.p["groups"], axis=3) * weights).sum(axis=(0, 1))
    return total


def _conv(step: Operands) -> Row:
    return oracle_int8.requantize(step, convolved(step))


def _depthwise(step: Operands) -> Row:
    taps, _ = windows.taps(step, step.p["input_zero_point"])
    return oracle_int8.requantize(step, _depthwise_sums(step, taps))


def _conv_int16(step: Operands) -> Row:
    taps, _ = windows.taps(step, 0)
    out_channels, groups = step.output.channel_count, step.p["groups"]
    per_group, depth = out_channels // groups, taps.shape[3] // groups
    weights = step.constant("weights_offset", np.int8).reshape(out_channels, *taps.shape[:2], depth)
    sums = [
        np.einsum(
            "ktxc,oktc->xo",
            taps[..., g * depth : (g + 1) * depth],
            weights[g * per_group : (g + 1) * per_group],
        )
        for g in range(groups)
    ]
    return oracle_int16.requantize(step, np.concatenate(sums, axis=1))


def _depthwise_int16(step: Operands) -> Row:
    taps, _ = windows.taps(step, 0)
    return oracle_int16.requantize(step, _depthwise_sums(step, taps))


def _conv_float(step: Operands) -> Floats:
    """One sum per output channel, over the taps by row, column and channel."""
    bias, groups, depth = step.floats("bias_offset"), step.p["groups"], step.source.channel_count // step.p["groups"]
    weights = step.floats("weights_offset").reshape(len(bias), step.p["kernel_rows"], step.p["kernel_columns"], depth)
    per_group = len(weights) // groups
    taps, parts = windows.float_taps(step), []
    for g in range(groups):
        kernel = weights[g * per_group : (g + 1) * per_group]
        total = np.zeros((step.output.column_count, per_group), np.float32)
        for k, t, pixels, inside in taps:
            for i in range(depth):
                product = pixels[:, g * depth + i, None] * kernel[None, :, k, t, i]
                total = np.where(inside[:, None], total + product, total)
        parts.append(total)
    return limited(step, np.concatenate(parts, axis=1) + bias)


def _depthwise_float(step: Operands) -> Floats:
    bias = step.floats("bias_offset")
    weights = step.floats("weights_offset").reshape(step.p["kernel_rows"], step.p["kernel_columns"], len(bias))
    total = np.zeros((step.output.column_count, len(bias)), np.float32)
    for k, t, pixels, inside in windows.float_taps(step):
        product = np.repeat(pixels, step.p["groups"], axis=1) * weights[k, t]
        total = np.where(inside[:, None], total + product, total)
    return limited(step, total + bias)


def _one_column_without_multiplier(op: Op, output: View, read: View) -> bool:
    """Rule 3. With a depth multiplier channel c of the output is not made of channel c of the input."""
    return op.params["groups"] == 1 and one_column(op, output, read)


_DEPTHWISE = Shares(windows.columns_read, _one_column_without_multiplier)

KNOWN = {
    OpKind.CONV: Known(_conv, rows.window, windows.IN_ORDER),
    OpKind.DEPTHWISE: Known(_depthwise, rows.window, _DEPTHWISE),
    OpKind.CONV_INT16: Known(_conv_int16, rows.window, windows.IN_ORDER),
    OpKind.DEPTHWISE_INT16: Known(_depthwise_int16, rows.window, _DEPTHWISE),
    OpKind.CONV_FLOAT: Known(_conv_float, rows.window, windows.IN_ORDER),
    OpKind.DEPTHWISE_FLOAT: Known(_depthwise_float, rows.window, _DEPTHWISE),
}
