"""Convolutions and FULLY_CONNECTED of int8 and int16, with int8 weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from tflm_split.verify.graph_oracle.evaluation import Array, Evaluate, Evaluation, matrix_product


def _are_weights(e: Evaluation) -> bool:
    """Whether the weights are of int8, or of int4 with int8 activations."""
    return e.tensor(1).dtype == "INT8" or (e.tensor(1).dtype == "INT4" and not e.is_int16)


def _conv(e: Evaluation) -> Array:
    weights = e.value(1).astype(np.int64)
    if not _are_weights(e) or weights.ndim != 4:
        raise e.refuse("dtype", f"its weights are {e.tensor(1).dtype} with {weights.ndim} dimensions")
    out_channels, rows, columns, depth = weights.shape
    zero_point = e.zero_point(e.tensor(0))
    taps, _ = e.windows(e.integers(0), (rows, columns), e.dilation(), zero_point)
    if taps.shape[-1] % depth:
        raise e.refuse("geometry", f"{taps.shape[-1]} input channels are no multiple of the filter's {depth}")
    taps = taps - zero_point
    groups = taps.shape[-1] // depth
    per_group = out_channels // groups
    parts = []
    for g in range(groups):
        total: Any = 0
        for tap, kernel in zip(taps, weights.reshape(out_channels, -1, depth).transpose(1, 2, 0), strict=True):
            part = tap[..., g * depth : (g + 1) * depth]
            total = total + matrix_product(part, kernel[:, g * per_group : (g + 1) * per_group])
        parts.append(total)
    return e.requantize(np.concatenate(parts, axis=-1), 0)


def _depthwise(e: Evaluation) -> Array:
    weights = e.value(1).astype(np.int64)
    if not _are_weights(e) or weights.ndim != 4 or weights.shape[0] != 1:
        raise e.refuse("dtype", f"its weights are {e.tensor(1).dtype} of shape {list(weights.shape)}")
    zero_point = e.zero_point(e.tensor(0))
    if e.is_int16 and e.has(2) and e.tensor(2).dtype != "INT64":
        raise e.refuse("dtype", f"its bias is {e.tensor(2).dtype}, and TFLM reads INT64")
    taps, _ = e.windows(e.integers(0), (weights.shape[1], weights.shape[2]), e.dilation(), zero_point)
    multiplier, rest = divmod(weights.shape[3], taps.shape[-1])
    if rest:
        raise e.refuse("geometry", f"{weights.shape[3]} output channels of {taps.shape[-1]} input channels")
    total: Any = 0
    for tap, kernel in zip(taps - zero_point, weights.reshape(-1, weights.shape[3]), strict=True):
        total = total + np.repeat(tap, multiplier, axis=-1) * kernel
    return e.requantize(total, 3)


def _transpose_conv(e: Evaluation) -> Array:
    """Operands: output shape, weights [out, rows, columns, in], input, bias. Input pixels are scattered over the output.

    The padding is that of the convolution whose input is this output (TFLM's transpose_conv.cc).
    """
    weights = e.value(1).astype(np.int64)
    if e.tensor(1).dtype != "INT8" or weights.ndim != 4:
        raise e.refuse("dtype", f"its weights are {e.tensor(1).dtype} with {weights.ndim} dimensions")
    if e.is_int16 and e.has(3) and e.tensor(3).dtype != "INT64":
        raise e.refuse("dtype", f"its bias is {e.tensor(3).dtype}, and TFLM reads INT64")
    x = e.integers(2) - e.zero_point(e.tensor(2))
    out_channels, *kernel, _ = weights.shape
    shape = e.output.shape
    strides, pads = [], []
    for size, taps, name in zip(shape[1:3], kernel, "hw", strict=True):
        stride = int(e.option(f"stride_{name}"))
        match e.option("padding"):
            case "SAME":
                pads.append(max(0, (-(-size // stride) - 1) * stride + taps - size) // 2)
            case "VALID":
                pads.append(0)
            case other:
                raise e.refuse("geometry", f"its padding {other} is unknown")
        strides.append(stride)
    ends = [
        max((n - 1) * s + k, p + o)
        for n, s, k, p, o in zip(x.shape[1:3], strides, kernel, pads, shape[1:3], strict=True)
    ]
    full = np.zeros((x.shape[0], *ends, out_channels), np.int64)
    for k in range(kernel[0]):
        for t in range(kernel[1]):
            rows = slice(k, k + (x.shape[1] - 1) * strides[0] + 1, strides[0])
            columns = slice(t, t + (x.shape[2] - 1) * strides[1] + 1, strides[1])
            full[:, rows, columns] += matrix_product(x, weights[:, k, t].T)
    kept = full[:, pads[0] : pads[0] + shape[1], pads[1] : pads[1] + shape[2]]
    return e.requantize(kept, 0, source=2, bias=3)


def _fully_connected(e: Evaluation) -> Array:
    weights = e.value(1).astype(np.int64)
    if not _are_weights(e) or weights.ndim != 2:
        raise e.refuse("dtype", f"its weights are {e.tensor(1).dtype} with {weights.ndim} dimensions")
    if e.op.options.get("weights_format", "DEFAULT") != "DEFAULT":
        raise e.refuse("geometry", f"its weights are in the format {e.option('weights_format')}")
    x = e.integers(0).reshape(-1, weights.shape[1]) - e.zero_point(e.tensor(0))
    return e.requantize(matrix_product(x, weights.T), 0)


EVALUATE: Evaluate = {
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _depthwise,
    "TRANSPOSE_CONV": _transpose_conv,
    "FULLY_CONNECTED": _fully_connected,
}
