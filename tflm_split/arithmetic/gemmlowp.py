"""What are exp, 1/(1+x), logistic and tanh in TFLM's int32 fixed point?

A number in "Qm" is an int32 that stands for raw / 2**(31 - m). TFLM takes these functions from gemmlowp
(fixedpoint/fixedpoint.h). The constants below are those of its series, rounded to Q0 or Q2.
"""

from __future__ import annotations

import math

from tflm_split.arithmetic.fixed_point import (
    INT32_MAX,
    rounding_divide_by_pot,
    saturate_int32,
    wrap_int32,
)
from tflm_split.arithmetic.fixed_point import saturating_rounding_doubling_high_multiply as multiply

ONE_Q0 = INT32_MAX
ONE_Q2 = 1 << 29
_THIRD_Q0 = round((1 << 31) / 3)
_EXP_MINUS_EIGHTH_Q0 = round(math.exp(-1 / 8) * (1 << 31))
_EXP_MINUS_POWER_Q0 = {exponent: round(math.exp(-(2.0**exponent)) * (1 << 31)) for exponent in range(-2, 5)}
_48_OVER_17_Q2 = round(48 / 17 * ONE_Q2)
_MINUS_32_OVER_17_Q2 = -round(32 / 17 * ONE_Q2)
_NEWTON_STEPS = 3


def _exp_between_minus_quarter_and_zero(a: int) -> int:
    """exp(a) for a in [-1/4, 0), Q0 to Q0: its Taylor polynomial of degree 4 around -1/8."""
    x = a + (1 << 28)
    x2 = multiply(x, x)
    x3 = multiply(x2, x)
    x4 = multiply(x2, x2)
    tail = rounding_divide_by_pot(multiply(rounding_divide_by_pot(x4, 2) + x3, _THIRD_Q0) + x2, 1)
    return _EXP_MINUS_EIGHTH_Q0 + multiply(_EXP_MINUS_EIGHTH_Q0, x + tail)


def exp_on_negative_values(a: int, integer_bits: int) -> int:
    """exp(a) for a <= 0 in Q`integer_bits` (at most 5), as Q0."""
    if a == 0:
        return ONE_Q0
    fractional_bits = 31 - integer_bits
    quarter = 1 << (fractional_bits - 2)
    within = (a & (quarter - 1)) - quarter
    result = _exp_between_minus_quarter_and_zero(saturate_int32(within << integer_bits))
    remainder = wrap_int32(within - a)
    for exponent, factor in _EXP_MINUS_POWER_Q0.items():
        if integer_bits > exponent and remainder & (1 << (fractional_bits + exponent)):
            result = multiply(result, factor)
    return result


def _inverse_of_half_sum(a: int) -> int:
    """2 / (1 + a) for a in [0, 1], Q0 to Q2, by Newton-Raphson division."""
    half_denominator = (a + ONE_Q0 + 1) // 2
    x = _48_OVER_17_Q2 + multiply(half_denominator, _MINUS_32_OVER_17_Q2)
    for _ in range(_NEWTON_STEPS):
        error = ONE_Q2 - multiply(half_denominator, x)
        x += saturate_int32(multiply(x, error) << 2)
    return x


def one_over_one_plus_x(a: int) -> int:
    """1 / (1 + a) for a in [0, 1], Q0 to Q0."""
    return saturate_int32(_inverse_of_half_sum(a) << 1)


def one_minus_x_over_one_plus_x(a: int) -> int:
    """(1 - a) / (1 + a) for a in [0, 1], Q0 to Q0."""
    return saturate_int32((_inverse_of_half_sum(a) - ONE_Q2) << 2)


def logistic(a: int, integer_bits: int) -> int:
    """1 / (1 + exp(-a)) for a in Q`integer_bits`, as Q0."""
    if a == 0:
        return 1 << 30
    positive = one_over_one_plus_x(exp_on_negative_values(-abs(a), integer_bits))
    return positive if a > 0 else ONE_Q0 - positive


def tanh(a: int, integer_bits: int) -> int:
    """tanh(a) for a in Q`integer_bits` (at most 4), as Q0."""
    if a == 0:
        return 0
    # The same raw value with one integer bit more is twice the number: exp(-2|a|).
    magnitude = one_minus_x_over_one_plus_x(exp_on_negative_values(-abs(a), integer_bits + 1))
    return magnitude if a > 0 else -magnitude


_HALF_SQRT_2_Q0 = round(math.sqrt(0.5) * (1 << 31))
_ONE_Q3 = 1 << 28
_SQRT_STEPS = 5


def inverse_square_root(x: int) -> tuple[int, int]:
    """(multiplier, shift), shift <= 0, with 1 / sqrt(x) ~ multiplier * 2**(shift - 31), for an integer 0 < x < 2**29.

    Five steps of Newton and Raphson in Q3 from 1 (GetInvSqrtQuantizedMultiplierExp in kernels/internal/common.h).
    """
    if x == 1:
        return ONE_Q0, 0
    pairs = (31 - x.bit_length()) // 2 - 1
    right = 11 - pairs
    half = rounding_divide_by_pot((x << 2 * pairs) >> 1, 1)
    root = _ONE_Q3
    for _ in range(_SQRT_STEPS):
        cube = saturate_int32(multiply(multiply(root, root), root) << 6)
        root = saturate_int32(wrap_int32(multiply(3 * _ONE_Q3 // 2, root) - multiply(half, cube)) << 3)
    root = multiply(root, _HALF_SQRT_2_Q0)
    return (wrap_int32(root << -right), 0) if right < 0 else (root, -right)


def reciprocal(x: int, integer_bits: int) -> tuple[int, int]:
    """(scale, bits) with 1 / x ~ scale (Q0) * 2**-bits for x > 0 in Q`integer_bits` (TFLM's GetReciprocal)."""
    headroom_plus_one = 32 - x.bit_length()
    return one_over_one_plus_x((x << headroom_plus_one) - (1 << 31)), integer_bits - headroom_plus_one
