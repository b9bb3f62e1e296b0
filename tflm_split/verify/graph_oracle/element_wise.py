"""One operand element by element, by short formulas."""

from __future__ import annotations

from typing import Any

import numpy as np

from tflm_split.verify import fixed_point as fp
from tflm_split.verify.graph_oracle.evaluation import Array, Evaluate, Evaluation, dtype_of


def _relu(e: Evaluation) -> Array:
    tensor = e.tensor(0)
    m, h = fp.quantize_multiplier(float(e.scale(tensor)) / float(e.scale(e.output)))
    scaled = fp.multiply(e.integers(0) - e.zero_point(tensor), m, h)
    return np.maximum(e.finish(scaled, activation=False), e.zero_point(e.output))


def _relu6(e: Evaluation) -> Array:
    """TFLM clamps the numbers as they are, on the input's scale."""
    tensor = e.tensor(0)
    zero_point = e.zero_point(tensor)
    six = zero_point + fp.round_half_away(float(np.float32(6) / e.scale(tensor)))
    if e.is_int16 and six > 32767:
        raise e.refuse("quantization", "6 lies beyond int16, which TFLM refuses")
    return np.clip(e.integers(0), zero_point, six if e.is_int16 else min(127, six))


def _leaky_relu(e: Evaluation) -> Array:
    tensor = e.tensor(0)
    s_in, s_out = float(e.scale(tensor)), float(e.scale(e.output))
    x = e.integers(0) - e.zero_point(tensor)
    alpha = float(np.float32(e.option("alpha")))
    if alpha < 0:
        raise e.refuse("activation", f"its slope is {alpha}")
    positive = fp.multiply(x, *fp.quantize_multiplier(s_in / s_out))
    negative = fp.multiply(x, *fp.quantize_multiplier(s_in * alpha / s_out))
    return e.finish(np.where(x >= 0, positive, negative), activation=False)


def _abs(e: Evaluation) -> Array:
    tensor = e.tensor(0)
    s_in, s_out = e.scale(tensor), e.scale(e.output)
    x = np.abs(e.int8(0) - e.zero_point(tensor))
    if s_in != s_out:
        x = fp.multiply(x, *fp.quantize_multiplier(float(np.float32(s_in / s_out))))
    return e.finish(x, activation=False)


def _rsqrt(e: Evaluation) -> Array:
    """The root by Newton's method on integers (Q28 between 1/4 and 1), as TFLM takes it."""
    tensor = e.tensor(0)
    x = e.int8(0) - e.zero_point(tensor)
    if e.zero_point(tensor) != -128:
        raise e.refuse("quantization", "TFLM stops at an input below its zero point")
    real = 1 / float(np.float32(np.float32(np.sqrt(e.scale(tensor))) * e.scale(e.output)))
    m, h = fp.quantize_multiplier(real)
    result = np.full(x.shape, 127, np.int64)
    for value in np.unique(x[x > 0]).tolist():
        root, shift = 2**31 - 1, 0
        if value > 1:
            pairs = 0
            while value << 2 * (pairs + 1) < 1 << 29:
                pairs += 1
            shift = pairs - 11
            half = fp.rounding_shift_right(value << 2 * pairs >> 1, 1)
            y: Any = 1 << 28
            for _ in range(5):
                cube = np.clip(fp.high_mul(fp.high_mul(y, y), y) << 6, fp.MIN32, fp.MAX32)
                y = np.clip((fp.high_mul(3 << 27, y) - fp.high_mul(half, cube)) << 3, fp.MIN32, fp.MAX32)
            root = int(fp.high_mul(y, 1518500250))
        fine = fp.multiply(np.array([1]), root, shift + 20)
        result[x == value] = np.clip(fp.multiply(fine, m, h - 20) + e.zero_point(e.output), -128, 127)[0]
    return result


_REQUANTIZED = frozenset(
    {("INT8", "INT8"), ("INT8", "UINT8"), ("UINT8", "INT8"), ("INT8", "INT16"), ("INT16", "INT8"), ("INT16", "INT16")}
)


def _quantize(e: Evaluation) -> Array:
    tensor = e.tensor(0)
    if (tensor.dtype, e.output.dtype) in (("FLOAT32", "INT8"), ("FLOAT32", "INT16")):
        scaled = (e.value(0) / e.scale(e.output)).astype(np.float64)
        rounded = np.copysign(np.floor(np.abs(scaled) + 0.5), scaled)
        return e.finish(np.clip(rounded, fp.MIN32, fp.MAX32).astype(np.int64), activation=False)
    if (tensor.dtype, e.output.dtype) not in _REQUANTIZED:
        raise e.refuse("dtype", f"it takes {tensor.dtype} to {e.output.dtype}")
    m, h = fp.quantize_multiplier(float(e.scale(tensor)) / float(e.scale(e.output)))
    return e.finish(fp.multiply(e.value(0).astype(np.int64) - e.zero_point(tensor), m, h), activation=False)


def _dequantize(e: Evaluation) -> Array:
    tensor = e.tensor(0)
    if tensor.dtype not in ("INT8", "UINT8", "INT16") or e.output.dtype != "FLOAT32":
        raise e.refuse("dtype", f"it takes {tensor.dtype} to {e.output.dtype}")
    return (float(e.scale(tensor)) * (e.value(0).astype(np.float64) - e.zero_point(tensor))).astype(np.float32)


def _byte_function(e: Evaluation) -> Array:
    table = np.frombuffer(bytes.fromhex(e.option("table")), dtype_of(e.output))
    return np.asarray(table[e.value(0).view(np.uint8)])


EVALUATE: Evaluate = {
    "ABS": _abs,
    "RSQRT": _rsqrt,
    "RELU": _relu,
    "RELU6": _relu6,
    "LEAKY_RELU": _leaky_relu,
    "QUANTIZE": _quantize,
    "DEQUANTIZE": _dequantize,
    "BYTE_FUNCTION": _byte_function,
}
