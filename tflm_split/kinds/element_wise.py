"""One operand, element by element: LUT, QUANTIZE_FLOAT, UNARY_INT16, UNARY_FLOAT, LIBRARY_FLOAT."""

from __future__ import annotations

from math import inf, isfinite

from tflm_split.kinds.kind import (
    ANY,
    FLOAT,
    Case,
    Channels,
    Constant,
    InPlace,
    Kind,
    first_fault,
    mode_fault,
    output_range_fault,
    range_fault,
    same_shape_fault,
)
from tflm_split.kinds.modes import UnaryMode
from tflm_split.kinds.quantized import INT8_VALUES, INT16_VALUES, INT_LIMITS, SHIFTS
from tflm_split.kinds.reads import SAME
from tflm_split.kinds.record import Field, Record

LUT_PARAMS = Record(
    "split_lut_params",
    "Any element-wise function of one 8-bit input: out = table[(uint8)x], entries of the output view's element_bytes "
    "(1: activations, requantisation; 4: DEQUANTIZE).",
    (Field("table_offset", "uint32_t", "256 entries"),),
)
QUANTIZE_PARAMS = Record(
    "split_quantize_params",
    "QUANTIZE_FLOAT: out = clamp(round_half_away(x / scale) + zero_point), x and scale float32.",
    (Field("scale", "float"), Field("zero_point", "int32_t", "", (-128, 255)), *INT_LIMITS),
)
UNARY_INT16_PARAMS = Record(
    "split_unary_int16_params",
    "UNARY_INT16, element by element. REQUANTIZE (int8 or int16 to int8 or int16), with d = x - input_zero_point: "
    "out = clamp(MBQM(d, multiplier, shift) + output_zero_point), by negative_* where d < 0. "
    "FROM_FLOAT: out = clamp(round_half_away(x / scale) + output_zero_point). TO_FLOAT: out = (x - input_zero_point) * scale.",
    (
        Field("mode", "int32_t", "UnaryMode"),
        Field("input_zero_point", "int32_t", "", INT16_VALUES),
        Field("output_zero_point", "int32_t", "", INT16_VALUES),
        Field("multiplier", "int32_t"),
        Field("shift", "int32_t", "", SHIFTS),
        Field("negative_multiplier", "int32_t"),
        Field("negative_shift", "int32_t", "", SHIFTS),
        *INT_LIMITS,
        Field("scale", "float", "finite, > 0"),
    ),
)
UNARY_FLOAT_PARAMS = Record(
    "split_unary_float_params",
    "UNARY_FLOAT, element by element, by mode.",
    (
        Field("mode", "int32_t", "UnaryMode"),
        Field("low", "float"),
        Field("high", "float"),
        Field("slope", "float"),
    ),
)
LIBRARY_FLOAT_PARAMS = Record(
    "split_library_float_params",
    "LIBRARY_FLOAT, element by element: a function of the C library that the build links, called as TFLM's reference kernels do.",
    (Field("mode", "int32_t", "UnaryMode"),),
)

_CONVERTED_BYTES = {
    UnaryMode.REQUANTIZE: ((1, 2), (1, 2)),
    UnaryMode.FROM_FLOAT: ((4,), (2,)),
    UnaryMode.TO_FLOAT: ((2,), (4,)),
}
"""Mode -> (element sizes of the input, of the output), in bytes."""


def _scale_fault(case: Case) -> str | None:
    scale = case.params["scale"]
    return None if isfinite(scale) and scale > 0 else f"its scale is {scale}"


def _quantize_fault(case: Case) -> str | None:
    unsigned = output_range_fault(case, 0, 255)
    limits = output_range_fault(case, *INT8_VALUES) if unsigned else None
    return first_fault(same_shape_fault(case), _scale_fault(case), limits)


def _unary_int16_fault(case: Case) -> str | None:
    fault = mode_fault(case, _CONVERTED_BYTES) or same_shape_fault(case)
    if fault:
        return fault
    have = (case.source.element_bytes, case.output.element_bytes)
    allowed = _CONVERTED_BYTES[UnaryMode(case.number("mode"))]
    if have[0] not in allowed[0] or have[1] not in allowed[1]:
        return f"it takes elements of {have[0]} bytes to {have[1]}"
    limits = output_range_fault(case, *(INT8_VALUES if case.output.element_bytes == 1 else INT16_VALUES))
    return first_fault(limits, _scale_fault(case))


def _unary_float_fault(case: Case) -> str | None:
    return first_fault(
        output_range_fault(case, -inf, inf, ("low", "high")),
        range_fault("slope", case.params["slope"], -inf, inf),
        mode_fault(case, (UnaryMode.CLAMP, UnaryMode.LEAKY, UnaryMode.HARD_SWISH)),
        same_shape_fault(case),
    )


def _library_float_fault(case: Case) -> str | None:
    return first_fault(
        mode_fault(case, (UnaryMode.LOGISTIC, UnaryMode.TANH, UnaryMode.ELU)),
        same_shape_fault(case),
    )


LUT = Kind(
    "LUT",
    LUT_PARAMS,
    reads=SAME,
    c_check="lut",
    c_run="element_wise",
    check=same_shape_fault,
    constants=(Constant("table_offset", 4, lambda case: 256 * case.output.element_bytes),),
    output_bytes=(1, 4),
    in_place=InPlace.SAME_ROW,
    channels=Channels.SAME,
)
QUANTIZE_FLOAT = Kind(
    "QUANTIZE_FLOAT",
    QUANTIZE_PARAMS,
    reads=SAME,
    c_check="quantize",
    c_run="element_wise",
    check=_quantize_fault,
    input_bytes=FLOAT,
    in_place=InPlace.SAME_ROW,
)
UNARY_INT16 = Kind(
    "UNARY_INT16",
    UNARY_INT16_PARAMS,
    reads=SAME,
    c_check="unary_int16",
    c_run="unary_int16",
    check=_unary_int16_fault,
    input_bytes=ANY,
    output_bytes=ANY,
    in_place=InPlace.SAME_ROW,
)
UNARY_FLOAT = Kind(
    "UNARY_FLOAT",
    UNARY_FLOAT_PARAMS,
    reads=SAME,
    c_check="unary_float",
    c_run="unary_float",
    check=_unary_float_fault,
    input_bytes=FLOAT,
    output_bytes=FLOAT,
    in_place=InPlace.SAME_ROW,
)
LIBRARY_FLOAT = Kind(
    "LIBRARY_FLOAT",
    LIBRARY_FLOAT_PARAMS,
    reads=SAME,
    c_check="library_float",
    c_run="library_float",
    check=_library_float_fault,
    input_bytes=FLOAT,
    output_bytes=FLOAT,
    in_place=InPlace.SAME_ROW,
)
KINDS = (LUT, QUANTIZE_FLOAT, UNARY_INT16, UNARY_FLOAT, LIBRARY_FLOAT)
RECORDS = (LUT_PARAMS, QUANTIZE_PARAMS, UNARY_INT16_PARAMS, UNARY_FLOAT_PARAMS, LIBRARY_FLOAT_PARAMS)
