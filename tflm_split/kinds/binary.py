"""Element-wise kinds of two operands, either of which may be broadcast.

int8 has ADD, SUB, MUL, MINIMUM, MAXIMUM, SQUARED_DIFFERENCE and PRELU. For int16 and for float32, one kind does ADD, SUB
and MUL.
"""

from __future__ import annotations

from math import inf

from tflm_split.kinds.kind import (
    FLOAT,
    INT16,
    Case,
    Channels,
    InPlace,
    Kind,
    first_fault,
    mode_fault,
    output_range_fault,
)
from tflm_split.kinds.limits import MAX_LEFT_SHIFT, MAX_LEFT_SHIFT_INT16
from tflm_split.kinds.modes import BinaryMode
from tflm_split.kinds.quantized import FLOAT_LIMITS, INT8_VALUES, INT16_VALUES, INT_LIMITS, SHIFTS
from tflm_split.kinds.reads import OPERANDS
from tflm_split.kinds.record import Field, Record


def _scaling(most_left: int) -> tuple[Field, ...]:
    return (
        Field("left_shift", "int32_t", "", (0, most_left)),
        Field("multiplier1", "int32_t"),
        Field("shift1", "int32_t", "", SHIFTS),
        Field("multiplier2", "int32_t"),
        Field("shift2", "int32_t", "", SHIFTS),
        Field("output_multiplier", "int32_t"),
        Field("output_shift", "int32_t", "", SHIFTS),
        *INT_LIMITS,
    )


BINARY_PARAMS = Record(
    "split_binary_params",
    "ADD, SUB: out = clamp(MBQM(MBQM((x1 - zp1) << left_shift, m1, s1) +- MBQM((x2 - zp2) << left_shift, m2, s2), mo, so) + zpo). "
    "MUL: out = clamp(MBQM((x1 - zp1) * (x2 - zp2), mo, so) + zpo). "
    "SQUARED_DIFFERENCE: as SUB, the difference squared (modulo 2^32) before the last MBQM. "
    "PRELU: d = x1 - zp1; out = clamp((d >= 0 ? MBQM(d, m1, s1) : MBQM(d * (x2 - zp2), m2, s2)) + zpo). "
    "MINIMUM, MAXIMUM: the smaller or larger byte, the rest of the record is 0. An operand view with one row, one "
    "column or one channel where the output has more is broadcast along that axis.",
    (
        Field("zero_point1", "int32_t", "", INT8_VALUES),
        Field("zero_point2", "int32_t", "", INT8_VALUES),
        Field("output_zero_point", "int32_t", "", INT8_VALUES),
        *_scaling(MAX_LEFT_SHIFT),
    ),
)
BINARY_INT16_PARAMS = Record(
    "split_binary_int16_params",
    "BINARY_INT16: the arithmetic and broadcasting of split_binary_params on int16 without zero points.",
    (Field("mode", "int32_t", "BinaryMode"), *_scaling(MAX_LEFT_SHIFT_INT16)),
)
BINARY_FLOAT_PARAMS = Record(
    "split_binary_float_params",
    "BINARY_FLOAT: out = min(max(a op b, output_min), output_max), operands broadcast as in split_binary_params.",
    (Field("mode", "int32_t", "BinaryMode"), *FLOAT_LIMITS),
)


def _broadcast_fault(case: Case) -> str | None:
    wanted = case.output.shape
    for role, view in zip(("input", "second input"), case.operands, strict=True):
        if any(have not in (1, want) for have, want in zip(view.shape, wanted, strict=True)):
            return f"its {role} of shape {list(view.shape)} does not broadcast to {list(wanted)}"
    return None


def _int8(name: str, c_run: str) -> Kind:
    return Kind(
        name,
        BINARY_PARAMS,
        reads=OPERANDS,
        c_check="binary",
        c_run=c_run,
        check=lambda case: first_fault(_broadcast_fault(case), output_range_fault(case, *INT8_VALUES)),
        operands=2,
        in_place=InPlace.SAME_ROW,
        channels=Channels.SAME,
    )


ADD = _int8("ADD", "binary")
SUB = _int8("SUB", "binary")
MUL = _int8("MUL", "binary")
MINIMUM = _int8("MINIMUM", "extreme")
MAXIMUM = _int8("MAXIMUM", "extreme")
SQUARED_DIFFERENCE = _int8("SQUARED_DIFFERENCE", "squared_difference")
PRELU = _int8("PRELU", "prelu")
BINARY_INT16 = Kind(
    "BINARY_INT16",
    BINARY_INT16_PARAMS,
    reads=OPERANDS,
    c_check="binary_int16",
    c_run="binary_int16",
    check=lambda case: first_fault(
        _broadcast_fault(case), output_range_fault(case, *INT16_VALUES), mode_fault(case, BinaryMode)
    ),
    input_bytes=INT16,
    output_bytes=INT16,
    operands=2,
    in_place=InPlace.SAME_ROW,
)
BINARY_FLOAT = Kind(
    "BINARY_FLOAT",
    BINARY_FLOAT_PARAMS,
    reads=OPERANDS,
    c_check="binary_float",
    c_run="binary_float",
    check=lambda case: first_fault(
        _broadcast_fault(case), output_range_fault(case, -inf, inf), mode_fault(case, BinaryMode)
    ),
    input_bytes=FLOAT,
    output_bytes=FLOAT,
    operands=2,
    in_place=InPlace.SAME_ROW,
)
KINDS = (ADD, SUB, MUL, MINIMUM, MAXIMUM, SQUARED_DIFFERENCE, PRELU, BINARY_INT16, BINARY_FLOAT)
RECORDS = (BINARY_PARAMS, BINARY_INT16_PARAMS, BINARY_FLOAT_PARAMS)
