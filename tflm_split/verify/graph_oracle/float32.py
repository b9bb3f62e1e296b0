"""Operators of float32, one rounding at a time in the order of TFLM's reference kernels.

Every operation on arrays of float32 rounds once per element; loops over taps and channels set the order. Operators that
call the C library's expf, tanhf or expm1f call this machine's, as TFLM does here; without it they are not known.
"""

from __future__ import annotations

import numpy as np

from tflm_split.verify import libm
from tflm_split.verify.graph_oracle.evaluation import Array, Evaluate, Evaluation

_LARGEST = np.finfo(np.float32).max
_LIMITS = {
    "NONE": (-_LARGEST, _LARGEST),
    "RELU": (0.0, _LARGEST),
    "RELU6": (0.0, 6.0),
    "RELU_N1_TO_1": (-1.0, 1.0),
}
"""TFLM clamps without an activation, too (CalculateActivationRange in kernel_util.h)."""


def _clamped(values: Array, low: float, high: float) -> Array:
    """Within the limits. NaN passes, and so does the sign of a zero."""
    floor, ceiling = np.float32(low), np.float32(high)
    raised = np.where(values < floor, floor, values)
    return np.asarray(np.where(ceiling < raised, ceiling, raised), np.float32)


def _finished(e: Evaluation, values: Array) -> Array:
    name = str(e.op.options.get("fused_activation_function", "NONE"))
    if name not in _LIMITS:
        raise e.refuse("activation", f"its activation {name} is unknown")
    return _clamped(values, *_LIMITS[name])


def _floats(e: Evaluation, position: int) -> Array:
    if e.tensor(position).dtype != "FLOAT32":
        raise e.refuse("dtype", f"its input {position} is {e.tensor(position).dtype}")
    return e.value(position)


def _with_bias(e: Evaluation, total: Array) -> Array:
    """Without a bias TFLM adds 0, which can change the sign of a zero."""
    bias = _floats(e, 2) if e.has(2) else np.zeros(total.shape[-1], np.float32)
    return _finished(e, total + bias)


def _conv(e: Evaluation) -> Array:
    """One sum per output channel, over the taps by row, column and channel. Taps outside add nothing."""
    weights = _floats(e, 1)
    out_channels, rows, columns, depth = weights.shape
    taps, inside = e.windows(_floats(e, 0), (rows, columns), e.dilation(), np.float32(0))
    groups = taps.shape[-1] // depth
    per_group = out_channels // groups
    kernel = weights.reshape(out_channels, rows * columns, depth)
    parts = []
    for g in range(groups):
        own = kernel[g * per_group : (g + 1) * per_group]
        total = np.zeros((*taps.shape[1:4], per_group), np.float32)
        for k in range(len(taps)):
            for i in range(depth):
                added = total + taps[k, ..., g * depth + i, None] * own[:, k, i]
                total = np.where(inside[k, None, :, :, None], added, total)
        parts.append(total)
    return _with_bias(e, np.concatenate(parts, axis=-1))


def _depthwise(e: Evaluation) -> Array:
    weights = _floats(e, 1)
    taps, inside = e.windows(_floats(e, 0), (weights.shape[1], weights.shape[2]), e.dilation(), np.float32(0))
    multiplier = weights.shape[3] // taps.shape[-1]
    total = np.zeros((*taps.shape[1:4], weights.shape[3]), np.float32)
    for k, kernel in enumerate(weights.reshape(-1, weights.shape[3])):
        added = total + np.repeat(taps[k], multiplier, axis=-1) * kernel
        total = np.where(inside[k, None, :, :, None], added, total)
    return _with_bias(e, total)


def _fully_connected(e: Evaluation) -> Array:
    weights = _floats(e, 1)
    x = _floats(e, 0).reshape(-1, weights.shape[1])
    total = np.zeros((len(x), len(weights)), np.float32)
    for i in range(weights.shape[1]):
        total = total + x[:, i, None] * weights[None, :, i]
    return _with_bias(e, total)


def _pool(e: Evaluation) -> Array:
    kernel = int(e.option("filter_height")), int(e.option("filter_width"))
    taps, inside = e.windows(_floats(e, 0), kernel, (1, 1), np.float32(0))
    exists = inside[:, None, :, :, None]
    if e.op.kind == "MAX_POOL_2D":
        largest = np.full(taps.shape[1:], -_LARGEST, np.float32)
        for tap, there in zip(taps, exists, strict=True):
            largest = np.where(there & (largest < tap), tap, largest)
        return _finished(e, largest)
    total = np.zeros(taps.shape[1:], np.float32)
    for tap, there in zip(taps, exists, strict=True):
        total = np.where(there, total + tap, total)
    return _finished(e, total / exists.sum(axis=0).astype(np.float32))


def _mean(e: Evaluation) -> Array:
    """Over rows and columns, one pixel after the other."""
    x = _floats(e, 0)
    axes = {int(axis) % x.ndim for axis in e.value(1).reshape(-1)}
    if axes != set(range(1, x.ndim - 1)) or x.shape[0] != 1:
        raise e.refuse("geometry", f"it reduces {sorted(axes)}, in an order this oracle does not know")
    pixels = x.reshape(-1, x.shape[-1])
    total = np.zeros(x.shape[-1], np.float32)
    for pixel in pixels:
        total = total + pixel
    return np.asarray(total / np.float32(len(pixels)), np.float32)


def _binary(e: Evaluation) -> Array:
    a, b = _floats(e, 0), _floats(e, 1)
    match e.op.kind:
        case "ADD":
            return _finished(e, a + b)
        case "SUB":
            return _finished(e, a - b)
        case _:
            return _finished(e, a * b)


def _relu(e: Evaluation) -> Array:
    return _clamped(_floats(e, 0), 0.0, 6.0 if e.op.kind == "RELU6" else np.inf)


def _leaky_relu(e: Evaluation) -> Array:
    x = _floats(e, 0)
    return np.asarray(np.where(x > 0, x, x * np.float32(e.option("alpha"))), np.float32)


def _hard_swish(e: Evaluation) -> Array:
    return libm.hard_swish(_floats(e, 0))


def _library_function(e: Evaluation) -> Array:
    if not libm.has_library():
        raise e.refuse("library", "there is no C library here to ask")
    x = _floats(e, 0)
    match e.op.kind:
        case "SOFTMAX":
            return libm.softmax(x, float(e.option("beta")))
        case "LOGISTIC":
            return libm.logistic(x)
        case "TANH":
            return libm.call("tanhf", x)
        case _:
            return libm.elu(x)


EVALUATE: Evaluate = {
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _fully_connected,
    "AVERAGE_POOL_2D": _pool,
    "MAX_POOL_2D": _pool,
    "MEAN": _mean,
    "ADD": _binary,
    "SUB": _binary,
    "MUL": _binary,
    "RELU": _relu,
    "RELU6": _relu,
    "LEAKY_RELU": _leaky_relu,
    "HARD_SWISH": _hard_swish,
    **dict.fromkeys(("SOFTMAX", "LOGISTIC", "TANH", "ELU"), _library_function),
}
