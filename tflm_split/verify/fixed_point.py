"""What do TFLM's fixed-point helpers compute? The oracles' own copy of the rules, on whole numpy arrays.

Everything here takes and gives int64 arrays that hold int32 values, so that an overflow is a decision written down
(`wrap32`, `saturate32`) and not an accident. Sources, by name: `MultiplyByQuantizedMultiplier` and friends of
`kernels/internal/common.h` with double rounding, `QuantizeMultiplier` of `quantization_util.cc`, and gemmlowp's
`fixedpoint.h` for the exponential, the logistic function and the hyperbolic tangent.

The compiler has helpers of its own for the same rules. The two share no code on purpose: each is the other's check.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Int64s = npt.NDArray[np.int64]

MIN32, MAX32 = -(2**31), 2**31 - 1


def wrap32(x: Any) -> Int64s:
    """The low 32 bits as a signed number: what int32 arithmetic keeps."""
    return np.asarray((np.asarray(x, np.int64) + 2**31) % 2**32 - 2**31)


def saturate32(x: Any) -> Int64s:
    """The nearest int32."""
    return np.clip(np.asarray(x, np.int64), MIN32, MAX32)


def divide_to_zero(a: Any, b: Any) -> Int64s:
    """C's integer division: the quotient rounded towards 0."""
    a, b = np.asarray(a, np.int64), np.asarray(b, np.int64)
    return np.asarray(np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b)))


def high_mul(a: Any, b: Any) -> Int64s:
    """SaturatingRoundingDoublingHighMul on int32: a * b / 2**31, to nearest, the one overflow saturated."""
    product = np.asarray(a, np.int64) * np.asarray(b, np.int64)
    nudge = np.where(product >= 0, 1 << 30, 1 - (1 << 30))
    return saturate32(divide_to_zero(product + nudge, 1 << 31))


def high_mul16(a: Any, b: Any) -> Int64s:
    """SaturatingRoundingDoublingHighMul on int16."""
    product = np.asarray(a, np.int64) * np.asarray(b, np.int64)
    nudge = np.where(product >= 0, 1 << 14, 1 - (1 << 14))
    return np.clip(divide_to_zero(product + nudge, 1 << 15), -(2**15), 2**15 - 1)


def rounding_shift_right(x: Any, exponent: Any) -> Int64s:
    """RoundingDivideByPOT: x / 2**exponent, to nearest, halves away from 0."""
    x, exponent = np.asarray(x, np.int64), np.asarray(exponent, np.int64)
    mask = (np.int64(1) << exponent) - 1
    threshold = (mask >> 1) + (x < 0)
    return np.asarray((x >> exponent) + ((x & mask) > threshold))


def multiply(x: Any, multiplier: Any, shift: Any) -> Int64s:
    """MultiplyByQuantizedMultiplier with double rounding: x * multiplier * 2**(shift - 31). Arrays broadcast."""
    shift = np.asarray(shift, np.int64)
    shifted = wrap32(np.asarray(x, np.int64) << np.maximum(shift, 0))
    return rounding_shift_right(high_mul(shifted, multiplier), np.maximum(-shift, 0))


def multiply_wide(sums: Any, multiplier: Any, shift: Any) -> Int64s:
    """MultiplyByQuantizedMultiplier of an int64: a 16-bit multiplier, one rounding, halves up. The shift is at most 7."""
    multiplier = np.asarray(multiplier, np.int64)
    reduced = np.where(multiplier < 0x7FFF0000, (multiplier + (1 << 15)) >> 16, 0x7FFF)
    down = 15 - np.asarray(shift, np.int64)
    return wrap32((np.asarray(sums, np.int64) * reduced + (np.int64(1) << (down - 1))) >> down)


def round_half_away(x: float) -> int:
    return int(math.copysign(math.floor(abs(x) + 0.5), x))


def quantize_multiplier(real: float) -> tuple[int, int]:
    """QuantizeMultiplier: (Q0.31 multiplier, shift) of a double; (0, 0) for what is too small to matter."""
    if real == 0.0:
        return 0, 0
    fraction, shift = math.frexp(real)
    multiplier = round_half_away(fraction * 2**31)
    if multiplier == 2**31:
        multiplier //= 2
        shift += 1
    return (multiplier, shift) if shift >= -31 else (0, 0)


def input_radius(integer_bits: int, left_shift: int) -> int:
    """CalculateInputRadius: the largest input difference that stays inside `integer_bits` after the shift."""
    return ((1 << integer_bits) - 1) * (1 << (31 - integer_bits)) // (1 << left_shift)


# gemmlowp fixed point. A number with n integer bits is raw * 2**(n - 31).

_ONE = MAX32
"""1.0 with no integer bits, as near as it can be."""


def _shift_left(x: Any, exponent: int) -> Int64s:
    """SaturatingRoundingMultiplyByPOT for positive exponents: also Rescale to fewer integer bits."""
    return saturate32(np.asarray(x, np.int64) << exponent)


def _exp_near_zero(a: Int64s) -> Int64s:
    """exp on [-1/4, 0), no integer bits: a Taylor polynomial of degree 4 around -1/8."""
    exp_minus_eighth, third = 1895147668, 715827883
    x = a + (1 << 28)
    x2 = high_mul(x, x)
    x3 = high_mul(x2, x)
    x4_over_4 = rounding_shift_right(high_mul(x2, x2), 2)
    tail = rounding_shift_right(high_mul(x4_over_4 + x3, third) + x2, 1)
    return wrap32(exp_minus_eighth + high_mul(exp_minus_eighth, x + tail))


_EXP_OF_MINUS_POWER = (
    (-2, 1672461947),
    (-1, 1302514674),
    (0, 790015084),
    (1, 290630308),
    (2, 39332535),
    (3, 720401),
    (4, 242),
)
"""(k, exp(-2**k) with no integer bits)."""


def exp_on_negative_values(a: Any, integer_bits: int) -> Int64s:
    """exp(a) for a <= 0 with up to 5 integer bits; the result has none (exp_on_negative_values of gemmlowp)."""
    a = np.asarray(a, np.int64)
    fractional_bits = 31 - integer_bits
    quarter = 1 << (fractional_bits - 2)
    a_mod = (a & (quarter - 1)) - quarter
    result = _exp_near_zero(_shift_left(a_mod, integer_bits))
    remainder = a_mod - a
    for exponent, factor in _EXP_OF_MINUS_POWER:
        if integer_bits > exponent:
            bit = (remainder >> (fractional_bits + exponent)) & 1
            result = np.where(bit == 1, high_mul(result, factor), result)
    return np.where(a == 0, _ONE, result)


def _reciprocal_of_half_sum(a: Any) -> Int64s:
    """2 / (1 + a) for a in [0, 1], two integer bits: three Newton steps (gemmlowp)."""
    total = np.asarray(a, np.int64) + _ONE
    half = divide_to_zero(total + np.where(total >= 0, 1, -1), 2)
    x = 1515870810 + high_mul(half, -1010580540)
    for _ in range(3):
        missing = (1 << 29) - high_mul(half, x)
        x = x + _shift_left(high_mul(x, missing), 2)
    return x


def reciprocal_of_one_plus(a: Any) -> Int64s:
    """1 / (1 + a) for a in [0, 1], no integer bits."""
    return _shift_left(_reciprocal_of_half_sum(a), 1)


def logistic(a: Any, integer_bits: int = 4) -> Int64s:
    """1 / (1 + exp(-a)), no integer bits."""
    a = np.asarray(a, np.int64)
    positive = reciprocal_of_one_plus(exp_on_negative_values(-np.abs(a), integer_bits))
    return np.where(a == 0, 1 << 30, np.where(a > 0, positive, _ONE - positive))


def tanh(a: Any, integer_bits: int = 4) -> Int64s:
    """tanh(a), no integer bits; exp(2a) is a's own raw value read with one more integer bit."""
    a = np.asarray(a, np.int64)
    e = exp_on_negative_values(-np.abs(a), integer_bits + 1)
    magnitude = _shift_left(_reciprocal_of_half_sum(e) - (1 << 29), 2)
    return np.where(a == 0, 0, np.where(a < 0, -magnitude, magnitude))


def softmax_from_exps(exps: Int64s, counted: npt.NDArray[np.bool_]) -> Int64s:
    """The int8 softmax along the last axis, given each element's exponential (no integer bits).

    Elements that are not `counted` (too far below the maximum) add nothing and give -128. The sum has 12 integer bits.
    """
    total = wrap32(np.where(counted, rounding_shift_right(exps, 12), 0).sum(axis=-1, keepdims=True))
    headroom = 32 - _bit_length(total)
    bits_over_unit = 12 - headroom
    shifted_minus_one = wrap32((total << headroom) - (1 << 31))
    scale = reciprocal_of_one_plus(shifted_minus_one)
    unshifted = rounding_shift_right(high_mul(scale, exps), bits_over_unit + 31 - 8)
    return np.where(counted, np.clip(unshifted - 128, -128, 127), -128)


def _bit_length(x: Int64s) -> Int64s:
    """Binary digits of a positive number."""
    return np.frexp(x.astype(np.float64))[1].astype(np.int64)


# From sums to elements.


def rounded_mean(sums: Int64s, counts: Int64s | np.int64) -> Int64s:
    """sums / counts with halves away from zero, in C's truncating division."""
    half = counts // 2
    return divide_to_zero(np.where(sums > 0, sums + half, sums - half), counts)


def clamp(values: Int64s, params: Mapping[str, int | float]) -> Int64s:
    """Within a record's `output_min` and `output_max`."""
    return np.clip(values, int(params["output_min"]), int(params["output_max"]))
