"""Which integers does TFLM compute for int16 activations before the first inference?

Every int16 tensor of these operators has the zero point 0. Sources: kernels/kernel_util.cc, micro/kernels/add_common.cc,
mul_common.cc, softmax_common.cc, activations_common.cc, leaky_relu_common.cc, logistic_common.cc, tanh.cc, and LUTPopulate and
the logistic function's table in internal/common.h.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from tflm_split.arithmetic.fixed_point import (
    quantize_multiplier,
    quantize_multiplier_smaller_than_one,
    round_half_away,
)
from tflm_split.arithmetic.requantize import activation_range
from tflm_split.errors import Refusal
from tflm_split.kinds import BinaryMode, UnaryMode
from tflm_split.kinds.limits import (
    INTERPOLATED_ENTRIES,
    MAX_LEFT_SHIFT_INT16,
    MAX_SIGMOID_MULTIPLIER,
    MAX_WIDE_SHIFT,
    SIGMOID_ENTRIES,
)

LEFT_SHIFT = MAX_LEFT_SHIFT_INT16
"""By how many bits ADD and SUB shift int16 operands to the left before scaling them."""
LARGEST, SMALLEST = 32767, -32768
SOFTMAX_OUTPUT_SCALE = 1 / 32768
_SOFTMAX_TOLERANCE = 0.001 / 32768
_EXP_RANGE = 10.0
_TABLE_STEPS = INTERPOLATED_ENTRIES - 1
_SIGMOID_STEPS = 24
"""Entries of the logistic function's table to a unit of its argument."""

Fields = dict[str, int | float | bytes]


def check_wide_shifts(shifts: tuple[int, ...]) -> None:
    """Raise Refusal if TFLM cannot scale an int64 sum by one of `shifts`."""
    if max(shifts) > MAX_WIDE_SHIFT:
        raise Refusal("quantization", f"its scales give a left shift of {max(shifts)}, and TFLM needs at most 7")


def binary_parameters(kind: str, scale1: float, scale2: float, scale: float, activation: str) -> Fields:
    """The fields of BINARY_INT16_PARAMS for ADD, SUB or MUL."""
    low, high = activation_range(activation, scale, 0, "INT16")
    if kind == "MUL":
        inputs = ((0, 0), (0, 0))
        q, shift = quantize_multiplier(scale1 * scale2 / scale)
    else:
        # Both are computed in double, as for int8 (`requantize.add_parameters`).
        twice_max = 2 * max(scale1, scale2)
        inputs = (
            quantize_multiplier_smaller_than_one(scale1 / twice_max),
            quantize_multiplier_smaller_than_one(scale2 / twice_max),
        )
        q, shift = quantize_multiplier_smaller_than_one(twice_max / ((1 << LEFT_SHIFT) * scale))
    return {
        "mode": int(BinaryMode[kind]),
        "left_shift": 0 if kind == "MUL" else LEFT_SHIFT,
        "multiplier1": inputs[0][0],
        "shift1": inputs[0][1],
        "multiplier2": inputs[1][0],
        "shift2": inputs[1][1],
        "output_multiplier": q,
        "output_shift": shift,
        "output_min": low,
        "output_max": high,
    }


def softmax_parameters(input_scale: float, beta: float, output_scale: float, output_zero_point: int) -> Fields:
    """The fields of SOFTMAX_INT16_PARAMS. Raises Refusal where TFLM refuses the output's quantisation."""
    if output_zero_point != 0 or abs(output_scale - SOFTMAX_OUTPUT_SCALE) > _SOFTMAX_TOLERANCE:
        raise Refusal("quantization", "its output is not quantised with scale 1/32768 and zero point 0")
    q, shift = quantize_multiplier(input_scale * float(np.float32(beta)) / (_EXP_RANGE / 65535.0))
    return {
        "exps_table_offset": interpolated_table(_EXP_RANGE, LARGEST, _exp),
        "reciprocals_table_offset": interpolated_table(1.0, SMALLEST, _reciprocal_of_one_plus),
        "multiplier": q,
        "shift": shift,
    }


def _exp(x: np.float32) -> np.float32:
    """exp, computed in double and rounded to float32: what a correctly rounded expf gives."""
    exponential: np.float32 = np.float32(np.exp(np.float64(x)))
    return exponential


def _reciprocal_of_one_plus(x: np.float32) -> np.float32:
    reciprocal: np.float32 = np.float32(1) / (np.float32(1) + x)
    return reciprocal


def interpolated_table(
    input_range: float, input_zero_point: int, function: Callable[[np.float32], np.float32]
) -> bytes:
    """int16[513] as bytes: `function` at 513 points, 512 steps over `input_range`, in Q0.15.

    Each point is moved by half of the interpolation's error in the middle of its step. All is computed in float32, as in
    TFLM (LUTPopulateInt16 in internal/common.h).
    """
    one = np.float32
    steps = one(65535)
    input_scale, output_scale = one(input_range) / steps, one(2.0) / steps
    first = input_scale * one(SMALLEST - input_zero_point)
    last = input_scale * one(LARGEST - input_zero_point)
    step = (last - first) / one(_TABLE_STEPS)
    half = step / one(2)
    per_unit = one(65536) / (output_scale * one(LARGEST) - output_scale * one(SMALLEST))

    def rounded(x: np.float32) -> np.float32:
        whole: np.float32 = np.float32(round_half_away(float(x)))
        return whole

    table = []
    for i in range(_TABLE_STEPS):
        here, after = function(first + one(i) * step), function(first + one(i + 1) * step)
        between = function(first + one(i) * step + half)
        sample = rounded(here * per_unit)
        error = rounded((after * per_unit + sample) / one(2)) - rounded(between * per_unit)
        table.append(sample - rounded(error / one(2)))
    table.append(rounded(function(last) * per_unit))
    return bytes(np.clip(table, SMALLEST, LARGEST).astype("<i2").tobytes())


def sigmoid_table() -> bytes:
    """uint16[256] as bytes: 1 / (1 + exp(-i / 24)) in Q0.16, the last entry 1 - 2^-16.

    Each entry is moved by half of the interpolation's error in the middle of the step behind it.
    """
    at = np.arange(SIGMOID_ENTRIES) / _SIGMOID_STEPS
    here, between, after = (1 / (1 + np.exp(-(at + part / _SIGMOID_STEPS))) for part in (0.0, 0.5, 1.0))
    table = np.round(65536 * (here - ((here + after) / 2 - between) / 2))
    table[-1] = 65535
    return bytes(table.astype("<u2").tobytes())


def log2_of_scale(scale: float) -> tuple[int, bool]:
    """(the nearest power of two, whether it is one, up to a thousandth): CheckedLog2 of kernels/internal/common.cc."""
    log2 = math.log2(scale)
    return round_half_away(log2), abs(log2 - round_half_away(log2)) < 1e-3


def sigmoid_parameters(kind: str, input_scale: float, output_scale: float) -> Fields:
    """The fields of SIGMOID_INT16_PARAMS for LOGISTIC or TANH. Raises Refusal where TFLM refuses the output's scale."""
    if log2_of_scale(output_scale) != (-15, True):
        raise Refusal("quantization", "its output is not quantised with scale 1/32768")
    power, is_power = log2_of_scale(input_scale)
    left = power + 12
    if is_power and left in ((0,) if kind == "LOGISTIC" else (0, 1)):
        multiplier, shift = 3 << left, 0
    else:
        real, shift = float(np.float32(input_scale)) * 4096.0 * 3.0, 0
        while real <= MAX_SIGMOID_MULTIPLIER / 2 and shift <= 30:
            real, shift = real * 2, shift + 1
        multiplier = int(real)
    if not 0 < multiplier <= MAX_SIGMOID_MULTIPLIER:
        raise Refusal("quantization", f"its input's scale of {input_scale:g} is too large for TFLM's table")
    return {"mode": int(UnaryMode[kind]), "sigmoid_offset": sigmoid_table(), "multiplier": multiplier, "shift": shift}
