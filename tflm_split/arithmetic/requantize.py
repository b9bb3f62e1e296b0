"""Which integers does TFLM compute from scales, zero points and activations before the first inference?

Each function returns the fields of one record of `kinds/`. It raises Refusal where TFLM itself would refuse or abort, and
where the meaning of a field is not known here. Scales are float32 values held in Python floats. Where TFLM computes in
float32, so does this file.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tflm_split.arithmetic.fixed_point import (
    INT32_MAX,
    INT32_MIN,
    quantize_multiplier,
    quantize_multiplier_smaller_than_one,
    round_half_away,
)
from tflm_split.errors import Refusal
from tflm_split.ir.graph import Quantization
from tflm_split.kinds import MeanMode

_RANGES = {"INT8": (-128, 127), "UINT8": (0, 255), "INT16": (-32768, 32767)}
_ACTIVATION_LIMITS: dict[str, tuple[float | None, float | None]] = {
    "NONE": (None, None),
    "RELU": (0.0, None),
    "RELU6": (0.0, 6.0),
    "RELU_N1_TO_1": (-1.0, 1.0),
}

ADD_LEFT_SHIFT = 20
"""By how many bits ADD and SUB shift int8 operands to the left before scaling them."""


def scale_and_zero_point(quantization: Quantization | None, what: str) -> tuple[float, int]:
    """The scale and zero point TFLM takes from a tensor: the first of each. Raises Refusal if one is missing."""
    if quantization is None or not quantization.scales or not quantization.zero_points:
        raise Refusal("quantization", f"its {what} carries no scale and zero point")
    scale = quantization.scales[0]
    if not 0.0 < scale < float("inf"):
        raise Refusal("quantization", f"the scale of its {what} is {scale}")
    return scale, quantization.zero_points[0]


def dtype_range(dtype: str) -> tuple[int, int]:
    """The smallest and largest value of a quantised type; raises Refusal for any other type."""
    try:
        return _RANGES[dtype]
    except KeyError:
        raise Refusal("dtype", f"its output is {dtype}, not a quantised type") from None


def activation_range(activation: str, scale: float, zero_point: int, dtype: str) -> tuple[int, int]:
    """(smallest, largest) output that a fused activation allows, both included (CalculateActivationRangeQuantized)."""
    lowest, highest = dtype_range(dtype)
    if activation not in _ACTIVATION_LIMITS:
        raise Refusal("activation", f"its fused activation {activation} is not supported")
    lower, upper = _ACTIVATION_LIMITS[activation]
    lo = lowest if lower is None else max(lowest, _quantized_limit(lower, scale, zero_point))
    hi = highest if upper is None else min(highest, _quantized_limit(upper, scale, zero_point))
    return lo, hi


def _quantized_limit(value: float, scale: float, zero_point: int) -> int:
    steps = round_half_away(float(np.float32(value) / np.float32(scale)))
    if not INT32_MIN <= steps <= INT32_MAX:
        raise Refusal("quantization", f"its activation limit {value:g} overflows at the output scale {scale:g}")
    return zero_point + steps


def conv_requantization(
    input_scale: float, weight_scales: Sequence[float], output_scale: float, channels: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """(multipliers, shifts), one per output channel, of CONV_2D, DEPTHWISE_CONV_2D and TRANSPOSE_CONV.

    One weight scale serves all channels. The products are doubles (PopulateConvolutionQuantizationParams).
    """
    if len(weight_scales) not in (1, channels):
        raise Refusal("quantization", f"its weights have {len(weight_scales)} scales for {channels} channels")
    pairs = [quantize_multiplier(input_scale * scale / output_scale) for scale in weight_scales]
    if len(pairs) == 1:
        pairs *= channels
    return tuple(q for q, _ in pairs), tuple(shift for _, shift in pairs)


def dense_requantization(
    input_scale: float, weight_scales: Sequence[float], output_scale: float, channels: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """(multipliers, shifts) of FULLY_CONNECTED: one entry if the weights have one scale, else one per channel.

    TFLM calls it per-channel when there is more than one scale (CalculateOpDataFullyConnected). With one scale, TFLM's
    source of August 2026 rounds the product of the scales to float32. The pinned wheel does not; the difference shows at
    rounding ties only.
    """
    if len(weight_scales) == 1:
        q, shift = quantize_multiplier(input_scale * weight_scales[0] / output_scale)
        return (q,), (shift,)
    return conv_requantization(input_scale, weight_scales, output_scale, channels)


def matmul_parameters(
    left: Quantization | None, right: Quantization | None, output: Quantization | None
) -> dict[str, int]:
    """The arithmetic fields of MATMUL_PARAMS for an int8 BATCH_MATMUL.

    The product of the input scales is a double (GetQuantizedConvolutionMultipler without a bias).
    """
    left_scale, left_zero_point = scale_and_zero_point(left, "first input")
    right_scale, right_zero_point = scale_and_zero_point(right, "second input")
    scale, zero_point = scale_and_zero_point(output, "output")
    q, shift = quantize_multiplier(left_scale * right_scale / scale)
    return {
        "left_zero_point": left_zero_point,
        "right_zero_point": right_zero_point,
        "output_zero_point": zero_point,
        "multiplier": q,
        "shift": shift,
    }


def add_parameters(
    input1: Quantization | None, input2: Quantization | None, output: Quantization | None, activation: str
) -> dict[str, int]:
    """The fields of BINARY_PARAMS for an int8 ADD or SUB: multipliers in double (CalculateOpDataAdd).

    TFLM's source of August 2026 computes SUB's multipliers in float32, the pinned wheel in double. The difference shows
    at rounding ties only.
    """
    scale1, zero_point1 = scale_and_zero_point(input1, "first input")
    scale2, zero_point2 = scale_and_zero_point(input2, "second input")
    scale, zero_point = scale_and_zero_point(output, "output")
    twice_max = 2 * max(scale1, scale2)
    return _binary_fields(
        (zero_point1, zero_point2, zero_point),
        ADD_LEFT_SHIFT,
        (
            quantize_multiplier_smaller_than_one(scale1 / twice_max),
            quantize_multiplier_smaller_than_one(scale2 / twice_max),
            quantize_multiplier_smaller_than_one(twice_max / ((1 << ADD_LEFT_SHIFT) * scale)),
        ),
        activation_range(activation, scale, zero_point, "INT8"),
    )


def _binary_fields(
    zero_points: tuple[int, int, int] = (0, 0, 0),
    left_shift: int = 0,
    scaled: tuple[tuple[int, int], tuple[int, int], tuple[int, int]] = ((0, 0), (0, 0), (0, 0)),
    limits: tuple[int, int] = (-128, 127),
) -> dict[str, int]:
    """The fields of BINARY_PARAMS. Triples are of (first operand, second operand, output); unused fields are 0."""
    (q1, shift1), (q2, shift2), (q, shift) = scaled
    return {
        "zero_point1": zero_points[0],
        "zero_point2": zero_points[1],
        "output_zero_point": zero_points[2],
        "left_shift": left_shift,
        "multiplier1": q1,
        "shift1": shift1,
        "multiplier2": q2,
        "shift2": shift2,
        "output_multiplier": q,
        "output_shift": shift,
        "output_min": limits[0],
        "output_max": limits[1],
    }


def mul_parameters(
    input1: Quantization | None, input2: Quantization | None, output: Quantization | None, activation: str
) -> dict[str, int]:
    """The fields of BINARY_PARAMS for an int8 MUL (CalculateOpDataMul). Fields that MUL does not use are 0."""
    scale1, zero_point1 = scale_and_zero_point(input1, "first input")
    scale2, zero_point2 = scale_and_zero_point(input2, "second input")
    scale, zero_point = scale_and_zero_point(output, "output")
    return _binary_fields(
        (zero_point1, zero_point2, zero_point),
        scaled=((0, 0), (0, 0), quantize_multiplier(scale1 * scale2 / scale)),
        limits=activation_range(activation, scale, zero_point, "INT8"),
    )


SQUARED_DIFFERENCE_LEFT_SHIFT = 7
"""By how many bits SQUARED_DIFFERENCE shifts int8 operands to the left: 255**2 * 2**14 still fits an int32."""


def squared_difference_parameters(
    input1: Quantization | None, input2: Quantization | None, output: Quantization | None
) -> dict[str, int]:
    """The fields of BINARY_PARAMS for an int8 SQUARED_DIFFERENCE (PrepareQuantized in squared_difference.cc)."""
    scale1, zero_point1 = scale_and_zero_point(input1, "first input")
    scale2, zero_point2 = scale_and_zero_point(input2, "second input")
    scale, zero_point = scale_and_zero_point(output, "output")
    twice_max = 2 * max(scale1, scale2)
    return _binary_fields(
        (zero_point1, zero_point2, zero_point),
        SQUARED_DIFFERENCE_LEFT_SHIFT,
        (
            quantize_multiplier_smaller_than_one(scale1 / twice_max),
            quantize_multiplier_smaller_than_one(scale2 / twice_max),
            quantize_multiplier(twice_max * twice_max / ((1 << 2 * SQUARED_DIFFERENCE_LEFT_SHIFT) * scale)),
        ),
    )


def prelu_parameters(
    input: Quantization | None, slope: Quantization | None, output: Quantization | None
) -> dict[str, int]:
    """The fields of BINARY_PARAMS for an int8 PRELU (CalculatePreluParams)."""
    input_scale, input_zero_point = scale_and_zero_point(input, "input")
    slope_scale, slope_zero_point = scale_and_zero_point(slope, "slope")
    scale, zero_point = scale_and_zero_point(output, "output")
    return _binary_fields(
        (input_zero_point, slope_zero_point, zero_point),
        scaled=(
            quantize_multiplier(input_scale / scale),
            quantize_multiplier(input_scale * slope_scale / scale),
            (0, 0),
        ),
    )


def binary_parameters(
    kind: str, input1: Quantization | None, input2: Quantization | None, output: Quantization | None, activation: str
) -> dict[str, int]:
    """The fields of BINARY_PARAMS for an int8 operator of two operands. Raises Refusal for an unknown `kind`."""
    if kind in ("ADD", "SUB"):
        return add_parameters(input1, input2, output, activation)
    if kind == "MUL":
        return mul_parameters(input1, input2, output, activation)
    if activation != "NONE":
        raise Refusal("activation", f"{kind} has no fused activation")
    if kind == "SQUARED_DIFFERENCE":
        return squared_difference_parameters(input1, input2, output)
    if kind == "PRELU":
        return prelu_parameters(input1, input2, output)
    if kind in ("MINIMUM", "MAXIMUM"):
        return _binary_fields()  # they compare bytes and look at no quantisation
    raise Refusal("operator", f"{kind} is not an operator of two operands")


def mean_parameters(input: Quantization | None, output: Quantization | None, count: int) -> dict[str, int]:
    """The fields of SUM_PARAMS for an int8 MEAN over `count` elements: 1 / count goes into the multiplier.

    Source: QuantizedMeanOrSum in reference/reduce.h.
    """
    fields = sum_parameters(input, output, count)
    # The quotient keeps as many bits as `count` has, as far as an int32 multiplier and a shift >= -31 allow.
    bits = min(count.bit_length() - 1, 32, 31 + fields["shift"])
    return fields | {
        "multiplier": (fields["multiplier"] << bits) // count,
        "shift": fields["shift"] - bits,
    }


def sum_parameters(input: Quantization | None, output: Quantization | None, count: int) -> dict[str, int]:
    """The fields of SUM_PARAMS for an int8 SUM over `count` elements."""
    input_scale, input_zero_point = scale_and_zero_point(input, "input")
    output_scale, output_zero_point = scale_and_zero_point(output, "output")
    q, shift = quantize_multiplier(input_scale / output_scale)
    return {
        "mode": int(MeanMode.MEAN),
        "count": count,
        "bias": input_zero_point * count,
        "multiplier": q,
        "shift": shift,
        "output_zero_point": output_zero_point,
        "output_min": -128,
        "output_max": 127,
    }


def reduce_max_parameters(count: int) -> dict[str, int]:
    """The fields of SUM_PARAMS for an int8 REDUCE_MAX, which compares values and rescales nothing."""
    fields = dict.fromkeys(("bias", "multiplier", "shift", "output_zero_point"), 0)
    return fields | {"mode": int(MeanMode.MAXIMUM), "count": count, "output_min": -128, "output_max": 127}


def average_pool_sum_parameters(output: Quantization | None, activation: str, count: int) -> dict[str, int]:
    """The fields of SUM_PARAMS for an int8 AVERAGE_POOL_2D whose one window covers all `count` pixels."""
    scale, zero_point = scale_and_zero_point(output, "output")
    lo, hi = activation_range(activation, scale, zero_point, "INT8")
    return {
        "mode": int(MeanMode.AVERAGE_POOL),
        "count": count,
        "bias": 0,
        "multiplier": 0,
        "shift": 0,
        "output_zero_point": 0,
        "output_min": lo,
        "output_max": hi,
    }
