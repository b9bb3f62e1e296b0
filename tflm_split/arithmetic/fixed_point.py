"""How does TFLM multiply an int32 by a real number?

It uses a Q0.31 multiplier and a power of two, and rounds twice (no TFLM build defines TFLITE_SINGLE_ROUNDING).
Scalar functions take and return Python ints; the `_array` functions do the same element by element in numpy.
Sources: tensorflow/lite/kernels/internal/common.cc, quantization_util.cc; gemmlowp fixedpoint.h.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflm_split.errors import Refusal
from tflm_split.kinds.limits import MAX_SHIFT, MIN_SHIFT

INT32_MIN = -(1 << 31)
INT32_MAX = (1 << 31) - 1


def quantize_multiplier(multiplier: float) -> tuple[int, int]:
    """(q, shift) with multiplier ~ q * 2**(shift - 31), as from TFLM's QuantizeMultiplier.

    A multiplier below about 2**-32 becomes (0, 0). Raises Refusal for one that is too large, infinite or NaN.
    """
    if not math.isfinite(multiplier):
        raise Refusal("quantization", f"its scales give the multiplier {multiplier}")
    if multiplier == 0.0:
        return 0, 0
    fraction, shift = math.frexp(multiplier)
    q = round_half_away(fraction * (1 << 31))
    if q == 1 << 31:
        q //= 2
        shift += 1
    if shift < MIN_SHIFT:
        return 0, 0
    if shift > MAX_SHIFT:
        raise Refusal("quantization", f"its scales give the multiplier {multiplier:g}, which overflows in TFLM")
    return q, shift


def quantize_multiplier_smaller_than_one(multiplier: float) -> tuple[int, int]:
    """`quantize_multiplier` of a number in (0, 1). Raises Refusal where TFLM aborts: outside, or rounded up to 1."""
    if not 0.0 < multiplier < 1.0:
        raise Refusal("quantization", f"its scales give the multiplier {multiplier:g}, and TFLM needs one in (0, 1)")
    q, shift = quantize_multiplier(multiplier)
    if shift > 0:
        raise Refusal("quantization", f"its scales give the multiplier {multiplier:g}, which TFLM rounds up to 1")
    return q, shift


def round_half_away(value: float) -> int:
    """The nearest integer, halves away from zero (C's `round`), exact for every double."""
    whole = math.trunc(value)
    if abs(value - whole) >= 0.5:
        whole += 1 if value > 0 else -1
    return whole


def wrap_int32(value: int) -> int:
    """`value` modulo 2**32, as an int32 in two's complement."""
    return (value + (1 << 31)) % (1 << 32) - (1 << 31)


def saturate_int32(value: int) -> int:
    """The int32 nearest to `value`."""
    return max(INT32_MIN, min(INT32_MAX, value))


def saturating_rounding_doubling_high_multiply(a: int, b: int) -> int:
    """round(a * b / 2**31), halves away from zero for positive and towards it for negative products."""
    if a == b == INT32_MIN:
        return INT32_MAX
    product = a * b
    nudged = product + ((1 << 30) if product >= 0 else 1 - (1 << 30))
    return nudged >> 31 if nudged >= 0 else -(-nudged >> 31)


def rounding_divide_by_pot(value: int, exponent: int) -> int:
    """round(value / 2**exponent), halves away from zero; 0 <= exponent <= 31."""
    mask = (1 << exponent) - 1
    remainder = value & mask
    threshold = (mask >> 1) + (1 if value < 0 else 0)
    return (value >> exponent) + (1 if remainder > threshold else 0)


def multiply_by_quantized_multiplier(value: int, q: int, shift: int) -> int:
    """value * q * 2**(shift - 31) as TFLM's MultiplyByQuantizedMultiplier rounds it (twice), `value` an int32."""
    left, right = max(shift, 0), max(-shift, 0)
    return rounding_divide_by_pot(saturating_rounding_doubling_high_multiply(wrap_int32(value << left), q), right)


def saturating_rounding_doubling_high_multiply_array(a: NDArray[Any], b: NDArray[Any] | int) -> NDArray[np.int64]:
    """`saturating_rounding_doubling_high_multiply` element by element; int32 values held in int64."""
    wide_a, wide_b = np.asarray(a, np.int64), np.asarray(b, np.int64)
    product = wide_a * wide_b
    nudged = product + np.where(product >= 0, 1 << 30, 1 - (1 << 30))
    # C divides towards zero; an arithmetic shift alone would divide downwards.
    high = np.where(nudged >= 0, nudged >> 31, -(-nudged >> 31))
    both_minimal: NDArray[np.int64] = np.where((wide_a == INT32_MIN) & (wide_b == INT32_MIN), INT32_MAX, high)
    return both_minimal


def rounding_divide_by_pot_array(value: NDArray[Any], exponent: NDArray[Any] | int) -> NDArray[np.int64]:
    """`rounding_divide_by_pot` element by element; int32 values held in int64."""
    wide, by = np.asarray(value, np.int64), np.asarray(exponent, np.int64)
    mask = (np.int64(1) << by) - 1
    threshold = (mask >> 1) + (wide < 0)
    rounded: NDArray[np.int64] = (wide >> by) + ((wide & mask) > threshold)
    return rounded
