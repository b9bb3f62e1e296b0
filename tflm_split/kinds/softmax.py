"""SOFTMAX, SOFTMAX_INT16 and SOFTMAX_FLOAT: per pixel, over its channels."""

from __future__ import annotations

import struct
from math import inf

from tflm_split.kinds.kind import (
    FLOAT,
    INT16,
    Case,
    Constant,
    InPlace,
    Kind,
    first_fault,
    range_fault,
    same_shape_fault,
)
from tflm_split.kinds.limits import (
    INTERPOLATED_ENTRIES,
    MAX_EXPONENTIALS,
    MAX_SOFTMAX_CHANNELS,
    MAX_SOFTMAX_CHANNELS_INT16,
    MIN_FIRST_EXPONENTIAL,
)
from tflm_split.kinds.quantized import SHIFTS
from tflm_split.kinds.reads import SAME
from tflm_split.kinds.record import Field, Record

SOFTMAX_PARAMS = Record(
    "split_softmax_params",
    "Per pixel over its channels, int8 to int8 (reference_ops::Softmax): d = x - max; exps[-d] for -d < exp_count, "
    "else 0; sum with 12 integer bits; GetReciprocal; out = RoundingDivideByPOT(SRDHM(scale, exp), bits_over_unit + 31 - 8) - 128.",
    (
        Field("exps_offset", "uint32_t", "int32[exp_count]: exp_on_negative_values of the scaled difference -i, Q0.31"),
        Field(
            "exp_count",
            "uint32_t",
            "differences below -(exp_count - 1) contribute nothing and give -128",
            (1, MAX_EXPONENTIALS),
        ),
    ),
)
SOFTMAX_INT16_PARAMS = Record(
    "split_softmax_int16_params",
    "SOFTMAX_INT16 (reference_ops::SoftmaxInt16): d = MBQM(x - max, multiplier, shift) + 32767, saturated to int16; "
    "exp = exps[d], interpolated; out = exp * reciprocals[sum of exps, scaled], clamped to [0, 32767].",
    (
        Field("exps_table_offset", "uint32_t", "int16[513]: exp(x), x from -10 to 0, Q0.15"),
        Field("reciprocals_table_offset", "uint32_t", "int16[513]: 1 / (1 + x), x from 0 to 1, Q0.15"),
        Field("multiplier", "int32_t"),
        Field("shift", "int32_t", "", SHIFTS),
    ),
)
SOFTMAX_FLOAT_PARAMS = Record(
    "split_softmax_float_params",
    "SOFTMAX_FLOAT (reference_ops::Softmax): e = expf((x - max) * beta), by the C library that the build links; out = e / (sum "
    "of e, in the order of channels).",
    (Field("beta", "float"),),
)


def _channels_fault(case: Case, most: int) -> str | None:
    channels = case.output.channel_count
    return f"it has {channels} channels, and {most} is the most" if channels > most else None


def _exponentials_fault(case: Case) -> str | None:
    constant = case.constants["exps_offset"]
    first, *rest = struct.unpack(f"<{len(constant) // 4}i", constant)
    if first < MIN_FIRST_EXPONENTIAL or any(value < 0 for value in rest):
        return "its exponentials are not those of 0 and below"
    return None


SOFTMAX = Kind(
    "SOFTMAX",
    SOFTMAX_PARAMS,
    reads=SAME,
    c_check="softmax",
    c_run="element_wise",
    check=lambda case: first_fault(same_shape_fault(case), _channels_fault(case, MAX_SOFTMAX_CHANNELS)),
    check_constants=_exponentials_fault,
    constants=(Constant("exps_offset", 4, lambda case: 4 * case.number("exp_count")),),
    in_place=InPlace.SAME_ROW,
)
SOFTMAX_INT16 = Kind(
    "SOFTMAX_INT16",
    SOFTMAX_INT16_PARAMS,
    reads=SAME,
    c_check="softmax_int16",
    c_run="softmax_int16",
    check=lambda case: first_fault(same_shape_fault(case), _channels_fault(case, MAX_SOFTMAX_CHANNELS_INT16)),
    constants=(
        Constant("exps_table_offset", 2, lambda _: 2 * INTERPOLATED_ENTRIES),
        Constant("reciprocals_table_offset", 2, lambda _: 2 * INTERPOLATED_ENTRIES),
    ),
    input_bytes=INT16,
    output_bytes=INT16,
    in_place=InPlace.SAME_ROW,
)
SOFTMAX_FLOAT = Kind(
    "SOFTMAX_FLOAT",
    SOFTMAX_FLOAT_PARAMS,
    reads=SAME,
    c_check="softmax_float",
    c_run="softmax_float",
    check=lambda case: first_fault(range_fault("beta", case.params["beta"], -inf, inf), same_shape_fault(case)),
    input_bytes=FLOAT,
    output_bytes=FLOAT,
    in_place=InPlace.SAME_ROW,
)
KINDS = (SOFTMAX, SOFTMAX_INT16, SOFTMAX_FLOAT)
RECORDS = (SOFTMAX_PARAMS, SOFTMAX_INT16_PARAMS, SOFTMAX_FLOAT_PARAMS)
