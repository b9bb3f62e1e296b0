"""From int32 sums to int8: the arithmetic that int8 kinds with weights share."""

from __future__ import annotations

import numpy as np

from tflm_split.kinds import WeightFlags
from tflm_split.verify.fixed_point import clamp, multiply, wrap32
from tflm_split.verify.operands import Operands, Row


def requantize(step: Operands, sums: Row) -> Row:
    """clamp(MBQM(sums + bias) + zero point), channels on the last axis."""
    return scale(step, wrap32(sums + step.constant("bias_offset", np.int32)))


def scale(step: Operands, sums: Row) -> Row:
    """As `requantize`, the bias being in `sums` already."""
    multipliers = step.constant("multipliers_offset", np.int32)
    shifts = step.constant("shifts_offset", np.int8)
    if not step.p["flags"] & WeightFlags.PER_CHANNEL:
        multipliers, shifts = multipliers[:1], shifts[:1]
    return clamp(multiply(sums, multipliers, shifts) + step.p["output_zero_point"], step.p)
