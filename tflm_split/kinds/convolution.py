"""CONV and DEPTHWISE, of int8, int16 and float32."""

from __future__ import annotations

from tflm_split.kinds.kind import (
    FLOAT,
    INT16,
    Case,
    Channels,
    InPlace,
    Kind,
    first_fault,
    output_range_fault,
)
from tflm_split.kinds.quantized import (
    FLOAT_LIMITS,
    QUANTIZED_BLOCK,
    QUANTIZED_INT16_BLOCK,
    float_constants,
    output_channels,
    quantized_constants,
    quantized_fault,
    quantized_int16_fault,
    shifts_fault,
    wide_shifts_fault,
)
from tflm_split.kinds.reads import WINDOW as WINDOW_ROWS
from tflm_split.kinds.record import Field, Record
from tflm_split.kinds.window import WINDOW_BLOCK, window_fault

_GROUPS = (1, 0xFFFF)

CONV_PARAMS = Record(
    "split_conv_params",
    "CONV (weights [out][kernel_rows][kernel_columns][in/groups]) and DEPTHWISE (weights [kernel_rows][kernel_columns][out]). "
    "acc = bias + sum(w * x), a tap outside the input reading input_zero_point; "
    "out = clamp(MBQM(acc, multiplier, shift) + output_zero_point). FULLY_CONNECTED is CONV with a 1x1 kernel. "
    "CONV_SUM adds one group of the input channels, as CONV with the weights of that group alone, to row `row` of the "
    "accumulator, which is its output too; CONV_SUM_LAST adds the last group and makes the output row of the sums.",
    (
        WINDOW_BLOCK,
        QUANTIZED_BLOCK,
        Field(
            "groups",
            "uint16_t",
            "CONV: groups; DEPTHWISE: depth multiplier (output channel c reads input channel c / multiplier)",
            _GROUPS,
        ),
        Field("flags", "uint16_t", "WeightFlags"),
    ),
)

CONV_INT16_PARAMS = Record(
    "split_conv_int16_params",
    "CONV_INT16, DEPTHWISE_INT16: int16 in and out without zero points, int8 weights as for CONV and DEPTHWISE. "
    "acc = bias + sum(w * x) in int64, taps outside the input add nothing; out = clamp(MBQM64(acc, multiplier, shift)), "
    "or with SUMS_32 clamp(MBQM((int32)acc, multiplier, shift)).",
    (
        WINDOW_BLOCK,
        QUANTIZED_INT16_BLOCK,
        Field("groups", "uint16_t", "as in split_conv_params", _GROUPS),
        Field("flags", "uint16_t", "WeightFlags"),
    ),
)

CONV_FLOAT_PARAMS = Record(
    "split_conv_float_params",
    "CONV_FLOAT, DEPTHWISE_FLOAT: as CONV and DEPTHWISE in float32. total = sum(x * w) over the taps inside the input by "
    "row, column and channel, from 0, each product and each sum rounded; out = min(max(total + bias, output_min), output_max).",
    (
        WINDOW_BLOCK,
        *FLOAT_LIMITS,
        Field("bias_offset", "uint32_t", "float[channels out]"),
        Field("weights_offset", "uint32_t", "float[]; 16-aligned"),
        Field("groups", "uint16_t", "as in split_conv_params", _GROUPS),
        Field("flags", "uint16_t", "0", (0, 0)),
    ),
)


def _positions(case: Case) -> int:
    return case.number("kernel_rows") * case.number("kernel_columns")


def _conv_weights(case: Case) -> int:
    return case.output.channel_count * _positions(case) * (case.source.channel_count // case.number("groups"))


def _depthwise_weights(case: Case) -> int:
    return case.output.channel_count * _positions(case)


def groups_fault(case: Case) -> str | None:
    """Refuse groups that do not divide the channels of input and output."""
    groups, inputs, outputs = case.number("groups"), case.source.channel_count, case.output.channel_count
    if inputs % groups or outputs % groups:
        return f"{groups} groups do not divide {inputs} and {outputs} channels"
    return None


def _multiplier_fault(case: Case) -> str | None:
    multiplier, inputs, outputs = case.number("groups"), case.source.channel_count, case.output.channel_count
    return (
        None if outputs == multiplier * inputs else f"multiplier {multiplier} makes no {outputs} of {inputs} channels"
    )


def _float_fault(case: Case) -> str | None:
    return output_range_fault(case, float("-inf"), float("inf"))


CONV = Kind(
    "CONV",
    CONV_PARAMS,
    reads=WINDOW_ROWS,
    c_check="convolution",
    c_run="convolution",
    check=lambda case: first_fault(window_fault(case), groups_fault(case), quantized_fault(case)),
    check_constants=shifts_fault,
    constants=quantized_constants(_conv_weights, output_channels),
    in_place=InPlace.IN_ORDER,
    channels=Channels.FILTERS,
)
DEPTHWISE = Kind(
    "DEPTHWISE",
    CONV_PARAMS,
    reads=WINDOW_ROWS,
    c_check="convolution",
    c_run="convolution",
    check=lambda case: first_fault(window_fault(case), _multiplier_fault(case), quantized_fault(case)),
    check_constants=shifts_fault,
    constants=quantized_constants(_depthwise_weights, output_channels),
    in_place=InPlace.CHANNEL_WISE,
    channels=Channels.SAME,
    multiplies_depth=True,
)
CONV_INT16 = Kind(
    "CONV_INT16",
    CONV_INT16_PARAMS,
    reads=WINDOW_ROWS,
    c_check="convolution_int16",
    c_run="convolution_int16",
    check=lambda case: first_fault(window_fault(case), groups_fault(case), quantized_int16_fault(case)),
    check_constants=wide_shifts_fault,
    constants=quantized_constants(_conv_weights, output_channels, bias_bytes=8),
    input_bytes=INT16,
    output_bytes=INT16,
    in_place=InPlace.IN_ORDER,
)
DEPTHWISE_INT16 = Kind(
    "DEPTHWISE_INT16",
    CONV_INT16_PARAMS,
    reads=WINDOW_ROWS,
    c_check="convolution_int16",
    c_run="convolution_int16",
    check=lambda case: first_fault(window_fault(case), _multiplier_fault(case), quantized_int16_fault(case)),
    check_constants=wide_shifts_fault,
    constants=quantized_constants(_depthwise_weights, output_channels, bias_bytes=8),
    input_bytes=INT16,
    output_bytes=INT16,
    in_place=InPlace.CHANNEL_WISE,
    multiplies_depth=True,
)
CONV_FLOAT = Kind(
    "CONV_FLOAT",
    CONV_FLOAT_PARAMS,
    reads=WINDOW_ROWS,
    c_check="convolution_float",
    c_run="convolution_float",
    check=lambda case: first_fault(window_fault(case), groups_fault(case), _float_fault(case)),
    constants=float_constants(_conv_weights, output_channels),
    input_bytes=FLOAT,
    output_bytes=FLOAT,
    in_place=InPlace.IN_ORDER,
)
DEPTHWISE_FLOAT = Kind(
    "DEPTHWISE_FLOAT",
    CONV_FLOAT_PARAMS,
    reads=WINDOW_ROWS,
    c_check="convolution_float",
    c_run="convolution_float",
    check=lambda case: first_fault(window_fault(case), _multiplier_fault(case), _float_fault(case)),
    constants=float_constants(_depthwise_weights, output_channels),
    input_bytes=FLOAT,
    output_bytes=FLOAT,
    in_place=InPlace.CHANNEL_WISE,
    multiplies_depth=True,
)
KINDS = (CONV, DEPTHWISE, CONV_INT16, DEPTHWISE_INT16, CONV_FLOAT, DEPTHWISE_FLOAT)
RECORDS = (CONV_PARAMS, CONV_INT16_PARAMS, CONV_FLOAT_PARAMS)
