"""Functions in fixed point: LOGISTIC, TANH and SOFTMAX of int8 and int16, HARD_SWISH and ELU of int8."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from tflm_split.verify import fixed_point as fp
from tflm_split.verify.graph_oracle.evaluation import Array, Evaluate, Evaluation
from tflm_split.verify.sigmoid import logistic, logistic_table, scaled, tanh


def _saturating(e: Evaluation, function: Callable[[Array], Array], fraction_bits: int, offset: int) -> Array:
    """LOGISTIC and TANH: the input on a scale with 4 integer bits; saturated beyond what fits there."""
    tensor = e.tensor(0)
    x = e.int8(0) - e.zero_point(tensor)
    multiplier, left_shift = fp.quantize_multiplier(float(e.scale(tensor)) * 2.0**27)
    if left_shift < 0:
        raise e.refuse("quantization", "its input scale is too small")
    radius = fp.input_radius(4, left_shift)
    scaled = fp.multiply(x, multiplier, left_shift)
    # What is beyond the radius may overflow on the way; its value is not used.
    result = fp.rounding_shift_right(function(np.where(np.abs(x) < radius, scaled, 0)), fraction_bits) + offset
    return np.where(x <= -radius, -128, np.where(x >= radius, 127, np.clip(result, -128, 127)))


def _sigmoid_int16(e: Evaluation, function: Callable[[Array, Array], Array], powers: tuple[int, ...]) -> Array:
    """LOGISTIC and TANH by the table. An input whose scale is 2 ** -12, or one of `powers`, needs no rounding on the way."""
    scale, output_log2 = float(e.scale(e.tensor(0))), np.log2(float(e.scale(e.output)))
    if abs(output_log2 + 15) > 1e-3 or e.zero_point(e.tensor(0)) or e.zero_point(e.output):
        raise e.refuse("quantization", "its output needs the scale 1/32768, and both the zero point 0")
    log2 = float(np.log2(scale))
    shift = 0
    if round(log2) in powers and abs(log2 - round(log2)) < 1e-3:
        multiplier = 3 << (round(log2) + 12)
    else:
        real = scale * 12288
        while real <= 32767 / 2 and shift <= 30:
            real, shift = 2 * real, shift + 1
        multiplier = int(real)
    if multiplier > 32767:
        raise e.refuse("quantization", "its input scale is too large")
    return function(logistic_table(), scaled(e.integers(0), multiplier, shift))


def _logistic(e: Evaluation) -> Array:
    if e.is_int16:
        return _sigmoid_int16(e, logistic, (-12,))
    return _saturating(e, fp.logistic, 23, -128)


def _tanh(e: Evaluation) -> Array:
    if e.is_int16:
        return _sigmoid_int16(e, tanh, (-12, -11))
    return _saturating(e, fp.tanh, 24, 0)


def _hard_swish(e: Evaluation) -> Array:
    tensor = e.tensor(0)
    fine_scale = float(e.scale(tensor)) / 128
    output_multiplier, output_shift = fp.quantize_multiplier(fine_scale / float(e.scale(e.output)))
    relu_multiplier, relu_shift = fp.quantize_multiplier(fine_scale / (3 / 32768))
    if output_shift > 0:
        raise e.refuse("quantization", "its output scale is too small")

    def to_int16(multiplier: int) -> int:
        return 2**15 - 1 if multiplier >= 2**31 - 1 - (1 << 15) else (multiplier + (1 << 15)) >> 16

    def int16(x: Array) -> Array:
        return np.clip(x, -(2**15), 2**15 - 1)

    fine = (e.int8(0) - e.zero_point(tensor)) << 7
    on_output_scale = fp.high_mul16(fine, to_int16(output_multiplier))
    relu = fine
    if relu_shift > 0:
        relu = int16(relu << (relu_shift - 1))
    relu = fp.high_mul16(relu, to_int16(relu_multiplier))
    if relu_shift > 0:
        relu = int16(relu << 1)
    if relu_shift < 0:
        relu = fp.rounding_shift_right(relu, -relu_shift)
    relu = (relu + (1 << 15)) >> 1
    product = fp.divide_to_zero(relu * on_output_scale, 1 << 15)
    return e.finish(fp.rounding_shift_right(product, -output_shift), activation=False)


def _softmax(e: Evaluation) -> Array:
    if e.is_int16:
        return _softmax_int16(e)
    tensor = e.tensor(0)
    x = e.int8(0)
    if float(e.scale(e.output)) != 1 / 256 or e.zero_point(e.output) != -128:
        raise e.refuse("quantization", "its output needs the scale 1/256 and the zero point -128")
    real = min(float(np.float32(e.option("beta"))) * float(e.scale(tensor)) * (1 << 26), 2.0**31 - 1)
    multiplier, left_shift = fp.quantize_multiplier(real)
    if left_shift < 0:
        raise e.refuse("quantization", "its input scale is too small")
    below = x.max(axis=-1, keepdims=True) - x
    counted = below <= fp.input_radius(5, left_shift)
    scaled = fp.multiply(np.where(counted, -below, 0), multiplier, left_shift)
    return fp.softmax_from_exps(fp.exp_on_negative_values(scaled, 5), counted)


def _softmax_int16(e: Evaluation) -> Array:
    """Exponentials and reciprocals by interpolation in tables of 513 entries, in Q0.15 (softmax.h, SoftmaxInt16)."""
    tensor = e.tensor(0)
    if e.zero_point(e.output) != 0 or abs(float(e.scale(e.output)) * 32768 - 1) > 0.001:
        raise e.refuse("quantization", "its output needs the scale 1/32768 and the zero point 0")
    x = e.integers(0)
    real = float(e.scale(tensor)) * float(np.float32(e.option("beta"))) / (10.0 / 65535.0)
    below = fp.multiply(x - x.max(axis=-1, keepdims=True), *fp.quantize_multiplier(real))
    exps = _interpolated(_exps(), np.clip(below + 32767, -32768, 32767))
    total = exps.sum(axis=-1, keepdims=True)
    digits = np.frexp(total.astype(np.float64))[1].astype(np.int64) - 1
    mantissa = ((total << (30 - digits)) + (1 << 13)) >> 14
    reciprocal = _interpolated(_reciprocals(), np.clip(mantissa - (1 << 15) - (1 << 16), -32768, 32767))
    return np.asarray(np.clip((exps * reciprocal + (np.int64(1) << (digits - 1))) >> digits, 0, 32767))


def _interpolated(table: Array, x: Array) -> Array:
    index, offset = (x >> 7) + 256, x & 0x7F
    return np.asarray(table[index] + (((table[index + 1] - table[index]) * offset + 64) >> 7))


@cache
def _exps() -> Array:
    """exp on [-10, 0]: computed in double and rounded to float32, which a correctly rounded expf gives."""
    return _table(10.0, 32767, lambda x: np.asarray(np.exp(x.astype(np.float64)), np.float32))


@cache
def _reciprocals() -> Array:
    """1 / (1 + x) on [0, 1]."""
    return _table(1.0, -32768, lambda x: np.asarray(np.float32(1) / (np.float32(1) + x)))


def _table(extent: float, zero_point: int, function: Callable[[Array], Array]) -> Array:
    """LUTPopulateInt16 of internal/common.h, in float32: samples shifted by half the error in the middle of each step."""
    f = np.float32
    scale = f(extent) / f(65535)
    first, last = scale * f(-32768 - zero_point), scale * f(32767 - zero_point)
    step = (last - first) / f(512)
    units = f(65536) / (f(2) / f(65535) * f(32767) - f(2) / f(65535) * f(-32768))

    def rounded(values: Array) -> Array:
        wide = values.astype(np.float64)
        return np.copysign(np.floor(np.abs(wide) + 0.5), wide).astype(np.float32)

    at = first + np.arange(512, dtype=np.float32) * step
    after = first + np.arange(1, 513, dtype=np.float32) * step
    samples = rounded(function(at) * units)
    error = rounded((function(after) * units + samples) / f(2)) - rounded(function(at + step / f(2)) * units)
    ends = rounded(function(np.array([last])) * units)
    entries = np.concatenate([samples - rounded(error / f(2)), ends])
    return np.asarray(np.clip(entries, -32768, 32767).astype(np.int64))


def _elu(e: Evaluation) -> Array:
    """In float32, on the real numbers (elu.cc)."""
    tensor = e.tensor(0)
    real = e.scale(tensor) * (e.int8(0) - e.zero_point(tensor)).astype(np.float32)
    below = np.exp(np.minimum(real, 0).astype(np.float64)).astype(np.float32) - np.float32(1)
    steps = (np.where(real < 0, below, real) * (np.float32(1) / e.scale(e.output))).astype(np.float64)
    return e.finish(np.copysign(np.floor(np.abs(steps) + 0.5), steps).astype(np.int64), activation=False)


EVALUATE: Evaluate = {
    "LOGISTIC": _logistic,
    "TANH": _tanh,
    "HARD_SWISH": _hard_swish,
    "ELU": _elu,
    "SOFTMAX": _softmax,
}
