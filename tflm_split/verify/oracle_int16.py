"""What do the int16 ops compute? Their numpy twins, for `oracle.py`: from numbers read to numbers to write.

Taps come as [kernel rows, kernel columns, columns, channels] with 0 outside the input, rows as [columns, channels]; all
are int64, which holds every int64 sum of TFLM's exactly where it does not overflow there.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from tflm_split.kinds import BinaryMode, MeanMode, PoolMode, WeightFlags
from tflm_split.verify.fixed_point import divide_to_zero, multiply, wrap32

Int64s = npt.NDArray[np.int64]
Params = Mapping[str, int | float]


def multiply_wide(sums: Int64s, multipliers: Int64s, shifts: Int64s) -> Int64s:
    """TFLM's product of an int64 and a real number: a 16-bit multiplier, one rounding, halves up."""
    reduced = np.where(multipliers < 0x7FFF0000, (multipliers + (1 << 15)) >> 16, 0x7FFF)
    down = 15 - shifts
    return wrap32((sums * reduced + (np.int64(1) << (down - 1))) >> down)


def int64_bias(constant: bytes) -> Int64s:
    """The bias of a program: halves, low first, which is how an int64 lies in memory."""
    return np.frombuffer(constant, "<i8").astype(np.int64)


def scale(p: Params, sums: Int64s, multipliers: Int64s, shifts: Int64s) -> Int64s:
    """From sums (channels last, bias included) to int16."""
    if not int(p["flags"]) & WeightFlags.PER_CHANNEL:
        multipliers, shifts = multipliers[:1], shifts[:1]
    wraps = int(p["flags"]) & WeightFlags.SUMS_32
    scaled = multiply(wrap32(sums), multipliers, shifts) if wraps else multiply_wide(sums, multipliers, shifts)
    return _clamp(scaled, p)


def convolution(taps: Int64s, weights: Int64s, groups: int) -> Int64s:
    """Sums [columns, channels out] of weights [out, kernel rows, kernel columns, channels in / groups]."""
    out_channels, in_channels = len(weights) // groups, weights.shape[3]
    sums = [
        np.einsum(
            "ktxc,oktc->xo",
            taps[..., g * in_channels : (g + 1) * in_channels],
            weights[g * out_channels : (g + 1) * out_channels],
        )
        for g in range(groups)
    ]
    return np.concatenate(sums, axis=1)


def depthwise(taps: Int64s, weights: Int64s, multiplier: int) -> Int64s:
    """Sums [columns, channels out] of weights [kernel rows, kernel columns, channels out]."""
    total: Int64s = (np.repeat(taps, multiplier, axis=3) * weights[:, :, None]).sum(axis=(0, 1))
    return total


def pool(p: Params, taps: Int64s, inside: npt.NDArray[np.bool_]) -> Int64s:
    """`inside` [kernel rows, kernel columns, columns] says which taps count."""
    if p["mode"] == PoolMode.MAXIMUM:
        return _clamp(np.where(inside[..., None], taps, -32768).max(axis=(0, 1)), p)
    return _clamp(_average(taps.sum(axis=(0, 1)), inside.sum(axis=(0, 1))[:, None]), p)


def binary(p: Params, a: Int64s, b: Int64s) -> Int64s:
    """Operands of one shape."""
    if p["mode"] == BinaryMode.MUL:
        both = wrap32(a * b)
    else:
        a = multiply(a << int(p["left_shift"]), int(p["multiplier1"]), int(p["shift1"]))
        b = multiply(b << int(p["left_shift"]), int(p["multiplier2"]), int(p["shift2"]))
        both = wrap32(a - b if p["mode"] == BinaryMode.SUB else a + b)
    return _clamp(multiply(both, int(p["output_multiplier"]), int(p["output_shift"])), p)


def requantize(p: Params, x: Int64s) -> Int64s:
    """UNARY_INT16 in its integer mode."""
    d = x - int(p["input_zero_point"])
    above = multiply(d, int(p["multiplier"]), int(p["shift"]))
    below = multiply(d, int(p["negative_multiplier"]), int(p["negative_shift"]))
    return _clamp(np.where(d < 0, below, above) + int(p["output_zero_point"]), p)


def from_float(p: Params, x: npt.NDArray[np.float32]) -> Int64s:
    """UNARY_INT16 from float32: halves away from zero."""
    steps = (x / np.float32(p["scale"])).astype(np.float64)
    whole = np.copysign(np.floor(np.abs(steps) + 0.5), steps)
    whole = np.clip(np.nan_to_num(whole, nan=-(2.0**31)), -(2.0**31), 2.0**31 - 1)
    return _clamp(whole.astype(np.int64) + int(p["output_zero_point"]), p)


def to_float(p: Params, x: Int64s) -> npt.NDArray[np.float32]:
    """UNARY_INT16 to float32."""
    product: npt.NDArray[np.float32] = (x - int(p["input_zero_point"])).astype(np.float32) * np.float32(p["scale"])
    return product


def softmax(p: Params, x: Int64s, exps: Int64s, reciprocals: Int64s) -> Int64s:
    """Along the last axis."""
    below = multiply(x - x.max(axis=-1, keepdims=True), int(p["multiplier"]), int(p["shift"]))
    exp = _interpolate(exps, np.clip(below + 32767, -32768, 32767))
    total = exp.sum(axis=-1, keepdims=True)
    bits = np.floor(np.log2(total)).astype(np.int64)  # exact: sums are far below 2**53
    mantissa = ((total << (30 - bits)) + (1 << 13)) >> 14
    reciprocal = _interpolate(reciprocals, np.clip(mantissa - (1 << 15) - (1 << 16), -32768, 32767))
    rounded: Int64s = (exp * reciprocal + (np.int64(1) << (bits - 1))) >> bits
    return np.clip(rounded, 0, 32767)


def finish_sum(p: Params, total: Int64s) -> Int64s:
    """What SUM_FEED_INT16 makes of its sums."""
    if p["mode"] == MeanMode.AVERAGE_POOL:
        return _clamp(_average(total, np.int64(p["count"])), p)
    scaled = multiply(wrap32(total - int(p["bias"])), int(p["multiplier"]), int(p["shift"]))
    return _clamp(scaled + int(p["output_zero_point"]), p)


def _interpolate(table: Int64s, x: Int64s) -> Int64s:
    index, offset = (x >> 7) + 256, x & 0x7F
    between: Int64s = table[index] + (((table[index + 1] - table[index]) * offset + 64) >> 7)
    return between


def _average(sums: Int64s, counts: Int64s | np.int64) -> Int64s:
    half = counts // 2
    return divide_to_zero(np.where(sums > 0, sums + half, sums - half), counts)


def _clamp(values: Int64s, p: Params) -> Int64s:
    return np.clip(values, int(p["output_min"]), int(p["output_max"]))
