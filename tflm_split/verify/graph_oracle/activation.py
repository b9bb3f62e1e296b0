"""Functions in fixed point: LOGISTIC, TANH, HARD_SWISH and SOFTMAX."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tflm_split.verify import fixed_point as fp
from tflm_split.verify.graph_oracle.evaluation import Array, Evaluate, Evaluation


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


def _logistic(e: Evaluation) -> Array:
    return _saturating(e, fp.logistic, 23, -128)


def _tanh(e: Evaluation) -> Array:
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


EVALUATE: Evaluate = {
    "LOGISTIC": _logistic,
    "TANH": _tanh,
    "HARD_SWISH": _hard_swish,
    "SOFTMAX": _softmax,
}
