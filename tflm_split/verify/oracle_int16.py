"""From int64 sums to int16: the arithmetic that int16 kinds with weights share.

All is int64, which holds every int64 sum of TFLM's exactly where it does not overflow there.
"""

from __future__ import annotations

import numpy as np

from tflm_split.kinds import WeightFlags
from tflm_split.verify.fixed_point import clamp, multiply, multiply_wide, wrap32
from tflm_split.verify.operands import Operands, Row


def requantize(step: Operands, sums: Row) -> Row:
    """clamp(MBQM64(sums + bias)), channels on the last axis; with SUMS_32 the sums wrap and are scaled as int32."""
    sums = sums + step.int64s("bias_offset")
    multipliers, shifts = step.constant("multipliers_offset", np.int32), step.constant("shifts_offset", np.int8)
    if not step.p["flags"] & WeightFlags.PER_CHANNEL:
        multipliers, shifts = multipliers[:1], shifts[:1]
    wraps = step.p["flags"] & WeightFlags.SUMS_32
    scaled = multiply(wrap32(sums), multipliers, shifts) if wraps else multiply_wide(sums, multipliers, shifts)
    return clamp(scaled, step.p)
