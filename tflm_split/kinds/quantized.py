"""What do the records of kinds with int8 weights and quantised inputs and outputs have in common?"""

from __future__ import annotations

import struct
from collections.abc import Callable

from tflm_split.kinds.kind import Case, Constant, first_fault, flags_fault, output_range_fault
from tflm_split.kinds.limits import CONSTANTS_ALIGNMENT, MAX_SHIFT, MAX_WIDE_SHIFT, MIN_SHIFT
from tflm_split.kinds.modes import WeightFlags
from tflm_split.kinds.record import Block, Field, Record

INT8_VALUES = (-128, 127)
INT16_VALUES = (-32768, 32767)
SHIFTS = (MIN_SHIFT, MAX_SHIFT)

INT_LIMITS = (Field("output_min", "int32_t"), Field("output_max", "int32_t"))
FLOAT_LIMITS = (Field("output_min", "float"), Field("output_max", "float"))

QUANTIZED = Record(
    "split_quantized_params",
    "From int8 through int8 weights to int8: out = clamp(MBQM(acc, multiplier, shift) + output_zero_point).",
    (
        Field("input_zero_point", "int32_t", "what a tap outside the input reads", INT8_VALUES),
        Field("output_zero_point", "int32_t", "", INT8_VALUES),
        *INT_LIMITS,
        Field(
            "bias_offset",
            "uint32_t",
            "int32[channels out]: bias - input_zero_point * sum(weights of that channel); TRANSPOSE_CONV: the bias alone",
        ),
        Field("multipliers_offset", "uint32_t", "int32[], Q0.31"),
        Field("shifts_offset", "uint32_t", "int8[], > 0 is left; any alignment"),
        Field("weights_offset", "uint32_t", "int8[]; 16-aligned"),
    ),
)
QUANTIZED_BLOCK = Block("quantized", QUANTIZED)

QUANTIZED_INT16 = Record(
    "split_quantized_int16_params",
    "From int16 through int8 weights to int16, by the arithmetic of CONV_INT16.",
    (
        *INT_LIMITS,
        Field("bias_offset", "uint32_t", "int32[2 * channels out]: each int64 as its low half, then its high half"),
        Field("multipliers_offset", "uint32_t", "int32[], Q0.31, >= 0"),
        Field(
            "shifts_offset", "uint32_t", "int8[], > 0 is left, <= SPLIT_MAX_WIDE_SHIFT unless SUMS_32; any alignment"
        ),
        Field("weights_offset", "uint32_t", "int8[]; 16-aligned"),
    ),
)
QUANTIZED_INT16_BLOCK = Block("quantized", QUANTIZED_INT16)

INT16_FLAGS = int(WeightFlags.PER_CHANNEL | WeightFlags.SUMS_32)


def _scaling_constants(channels: Callable[[Case], int], bias_bytes: int) -> tuple[Constant, ...]:
    def entries(case: Case) -> int:
        return channels(case) if int(case.params["flags"]) & WeightFlags.PER_CHANNEL else 1

    return (
        Constant("bias_offset", 4, lambda case: bias_bytes * channels(case)),
        Constant("multipliers_offset", 4, lambda case: 4 * entries(case)),
        Constant("shifts_offset", 1, entries),
    )


def quantized_constants(
    weights: Callable[[Case], int], channels: Callable[[Case], int], bias_bytes: int = 4
) -> tuple[Constant, ...]:
    """The constants of QUANTIZED (`bias_bytes` 4) or QUANTIZED_INT16 (8).

    `weights` and `channels` count weights and output channels.
    """
    return (*_scaling_constants(channels, bias_bytes), Constant("weights_offset", CONSTANTS_ALIGNMENT, weights))


def float_constants(weights: Callable[[Case], int], channels: Callable[[Case], int]) -> tuple[Constant, ...]:
    """The constants of a float32 kind: bias and weights. `weights` and `channels` count weights and output channels."""
    return (
        Constant("bias_offset", 4, lambda case: 4 * channels(case)),
        Constant("weights_offset", CONSTANTS_ALIGNMENT, lambda case: 4 * weights(case)),
    )


def output_channels(case: Case) -> int:
    return case.output.channel_count


def quantized_fault(case: Case, flags: int = int(WeightFlags.PER_CHANNEL)) -> str | None:
    """Refuse a record with QUANTIZED whose limits are out of order or whose flags are unknown."""
    return first_fault(output_range_fault(case, *INT8_VALUES), flags_fault(case, flags))


def quantized_int16_fault(case: Case) -> str | None:
    """Refuse a record with QUANTIZED_INT16 whose limits are out of order or whose flags are unknown."""
    return first_fault(output_range_fault(case, *INT16_VALUES), flags_fault(case, INT16_FLAGS))


def shifts_fault(case: Case) -> str | None:
    """Refuse a shift that MultiplyByQuantizedMultiplier cannot do, and a negative multiplier: scales are positive."""
    constant = case.constants["multipliers_offset"]
    least = min(struct.unpack(f"<{len(constant) // 4}i", constant), default=0)
    return first_fault(f"a multiplier is {least}" if least < 0 else None, _shift_beyond(case, MAX_SHIFT))


def wide_shifts_fault(case: Case) -> str | None:
    """Refuse a left shift of an int64 sum that TFLM cannot do. With SUMS_32, sums are int32."""
    if case.number("flags") & WeightFlags.SUMS_32:
        return shifts_fault(case)
    return first_fault(shifts_fault(case), wide_scaling_fault(case))


def wide_scaling_fault(case: Case) -> str | None:
    """Refuse a left shift that is too large for an int64 sum."""
    constant = case.constants["shifts_offset"]
    largest = max(struct.unpack(f"{len(constant)}b", constant))
    return f"a shift is {largest}, and {MAX_WIDE_SHIFT} is the most" if largest > MAX_WIDE_SHIFT else None


def _shift_beyond(case: Case, most: int) -> str | None:
    constant = case.constants["shifts_offset"]
    shifts = struct.unpack(f"{len(constant)}b", constant)
    return next((f"a shift is {shift}" for shift in shifts if not MIN_SHIFT <= shift <= most), None)
