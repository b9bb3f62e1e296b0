"""What does an element-wise int8 operator give for each of its 256 inputs?

`lut` tabulates operators of one input, `binary_lut` those of one input and one constant. Entry i is the output for the
input byte i: an int8 input x is looked up at `x & 255`.

Every operator follows its reference kernel step by step, quirks included: a table must be exact to the bit. Ratios of
scales are doubles. TFLM's source of August 2026 computes some in float32, the pinned wheel does not; the difference shows
at rounding ties only.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from tflm_split.arithmetic import gemmlowp
from tflm_split.arithmetic.fixed_point import (
    multiply_by_quantized_multiplier,
    quantize_multiplier,
    round_half_away,
    rounding_divide_by_pot,
)
from tflm_split.arithmetic.requantize import (
    binary_parameters,
    dtype_range,
    scale_and_zero_point,
)
from tflm_split.errors import Refusal
from tflm_split.ir.graph import Option, Quantization

_INT16_MIN, _INT16_MAX = -32768, 32767
_FUNCTION_INTEGER_BITS = 4
"""How many integer bits the argument of LOGISTIC and TANH has."""


class _Operator:
    """The float32 scales, zero points and options of one operator, named as in its kernel."""

    def __init__(
        self, input: Quantization | None, output: Quantization | None, options: Mapping[str, Option], dtypes: str
    ) -> None:
        scale, self.input_zero_point = scale_and_zero_point(input, "input")
        self.input_scale: Any = np.float32(scale)
        self.output = output
        self.options = options
        self.dtypes = dtypes

    @property
    def output_scale(self) -> Any:
        """A float32. It is typed as Any because numpy's scalar arithmetic is typed loosely."""
        return np.float32(scale_and_zero_point(self.output, "output")[0])

    @property
    def output_zero_point(self) -> int:
        return scale_and_zero_point(self.output, "output")[1]

    def only_int8(self) -> None:
        if self.dtypes != "INT8->INT8":
            raise Refusal("dtype", f"it is {self.dtypes}, and TFLM has it for INT8->INT8")


Function = Callable[[int], int]


def lut(
    kind: str,
    input_quant: Quantization | None,
    output_quant: Quantization | None,
    options: Mapping[str, Option],
    input_dtype: str,
    output_dtype: str,
) -> bytes:
    """The table of operator `kind`: 256 bytes, or 256 little-endian float32 for DEQUANTIZE.

    Raises Refusal for an operator, a type or a quantisation that TFLM does not run, or that has no table here.
    """
    operator = _Operator(input_quant, output_quant, options, f"{input_dtype}->{output_dtype}")
    if kind == "DEQUANTIZE":
        return _dequantize(operator, input_dtype, output_dtype)
    if kind == "QUANTIZE":
        function = _quantize(operator)
    elif kind in _FUNCTIONS:
        operator.only_int8()
        function = _FUNCTIONS[kind](operator)
    else:
        raise Refusal("operator", f"{kind} is not an operator with a table")
    return _tabulate(function, input_dtype, output_dtype)


def binary_lut(
    kind: str,
    input1: Quantization | None,
    input2: Quantization | None,
    output: Quantization | None,
    activation: str,
    constant: int,
    constant_is_first: bool,
) -> bytes:
    """The table of an int8 operator of two operands, one of which is the scalar int8 `constant`."""
    fields = binary_parameters(kind, input1, input2, output, activation)

    def scaled(value: int, which: int) -> int:
        shifted = (value - fields[f"zero_point{which}"]) << fields["left_shift"]
        return multiply_by_quantized_multiplier(shifted, fields[f"multiplier{which}"], fields[f"shift{which}"])

    def function(x: int) -> int:
        first, second = (constant, x) if constant_is_first else (x, constant)
        if kind in ("MINIMUM", "MAXIMUM"):
            return (min if kind == "MINIMUM" else max)(first, second)
        if kind == "PRELU":
            centred, slope = first - fields["zero_point1"], second - fields["zero_point2"]
            which, value = ("1", centred) if centred >= 0 else ("2", centred * slope)
            result = multiply_by_quantized_multiplier(value, fields[f"multiplier{which}"], fields[f"shift{which}"])
            return min(max(result + fields["output_zero_point"], -128), 127)
        if kind == "MUL":
            raw = (first - fields["zero_point1"]) * (second - fields["zero_point2"])
        else:
            raw = scaled(first, 1) + (1 if kind == "ADD" else -1) * scaled(second, 2)
        if kind == "SQUARED_DIFFERENCE":
            raw *= raw
        result = multiply_by_quantized_multiplier(raw, fields["output_multiplier"], fields["output_shift"])
        return min(max(result + fields["output_zero_point"], fields["output_min"]), fields["output_max"])

    return _tabulate(function, "INT8", "INT8")


def _inputs(dtype: str) -> Iterator[int]:
    """The value of each byte 0..255 read as `dtype`."""
    if dtype not in ("INT8", "UINT8"):
        raise Refusal("dtype", f"its input is {dtype}, not 8 bits wide")
    return (byte - 256 if dtype == "INT8" and byte > 127 else byte for byte in range(256))


def _tabulate(function: Function, input_dtype: str, output_dtype: str) -> bytes:
    """`function` of every input, saturated to the output type."""
    lo, hi = dtype_range(output_dtype)
    return bytes(min(max(function(x), lo), hi) & 0xFF for x in _inputs(input_dtype))


def _dequantize(operator: _Operator, input_dtype: str, output_dtype: str) -> bytes:
    """reference/dequantize.h: the product is a double, rounded once."""
    if output_dtype != "FLOAT32":
        raise Refusal("dtype", f"DEQUANTIZE gives {output_dtype}, and TFLM gives FLOAT32")
    scale = float(operator.input_scale)
    values = [np.float32(scale * (x - operator.input_zero_point)) for x in _inputs(input_dtype)]
    return struct.pack("<256f", *values)


def _quantize(operator: _Operator) -> Function:
    """reference/requantize.h. Its shortcut for equal scales gives the same result as the general path used here."""
    if operator.dtypes not in ("INT8->INT8", "INT8->UINT8", "UINT8->INT8"):
        raise Refusal("dtype", f"QUANTIZE {operator.dtypes} has no table")
    q, shift = quantize_multiplier(float(operator.input_scale) / float(operator.output_scale))
    input_zero_point, output_zero_point = operator.input_zero_point, operator.output_zero_point
    return lambda x: multiply_by_quantized_multiplier(x - input_zero_point, q, shift) + output_zero_point


def _relu(operator: _Operator) -> Function:
    """activations_common.cc: requantise, and clamp at the output's zero point."""
    q, shift = quantize_multiplier(float(operator.input_scale) / float(operator.output_scale))
    input_zero_point, output_zero_point = operator.input_zero_point, operator.output_zero_point

    def function(x: int) -> int:
        return max(
            output_zero_point, multiply_by_quantized_multiplier(x - input_zero_point, q, shift) + output_zero_point
        )

    return function


def _relu6(operator: _Operator) -> Function:
    """activations_common.cc: clamp in the input's quantisation. The output's quantisation is not used."""
    zero = operator.input_zero_point
    six = round_half_away(float(np.float32(6) / operator.input_scale)) + zero
    six = min(max(six, -128), 127)
    return lambda x: six if x > six else max(x, zero)


def _function_of_q4(operator: _Operator) -> tuple[int, int, int]:
    """(multiplier, shift, radius) with which LOGISTIC and TANH rescale their input (logistic_common.cc, tanh.cc).

    An input that lies `radius` or more away from the zero point saturates.
    """
    real = float(operator.input_scale) * (1 << (31 - _FUNCTION_INTEGER_BITS))
    fraction, shift = math.frexp(real)
    if shift < 0:
        raise Refusal("quantization", f"its input scale {float(operator.input_scale):g} is too small for TFLM")
    radius = int(((1 << _FUNCTION_INTEGER_BITS) - 1) * 2.0 ** (31 - _FUNCTION_INTEGER_BITS) / 2.0**shift)
    return round_half_away(fraction * (1 << 31)), shift, radius


def _saturating(operator: _Operator, function: Callable[[int], int]) -> Function:
    """`function` of the input in Q4, -128 and 127 beyond the radius."""
    q, shift, radius = _function_of_q4(operator)
    zero_point = operator.input_zero_point

    def saturated(x: int) -> int:
        centred = x - zero_point
        if centred <= -radius:
            return -128
        if centred >= radius:
            return 127
        return function(multiply_by_quantized_multiplier(centred, q, shift))

    return saturated


def _logistic(operator: _Operator) -> Function:
    """integer_ops/logistic.h: it assumes an output scale of 1/256 and checks the zero point only."""
    if operator.output_zero_point != -128:
        raise Refusal("quantization", f"its output zero point is {operator.output_zero_point}, and TFLM needs -128")
    return _saturating(
        operator, lambda q4: rounding_divide_by_pot(gemmlowp.logistic(q4, _FUNCTION_INTEGER_BITS), 31 - 8) - 128
    )


def _tanh(operator: _Operator) -> Function:
    """integer_ops/tanh.h: it assumes an output scale of 1/128 and a zero point of 0."""
    return _saturating(operator, lambda q4: rounding_divide_by_pot(gemmlowp.tanh(q4, _FUNCTION_INTEGER_BITS), 31 - 7))


def _leaky_relu(operator: _Operator) -> Function:
    """leaky_relu_common.cc, reference/leaky_relu.h: one multiplier above zero, another one below."""
    alpha = operator.options.get("alpha")
    if not isinstance(alpha, (int, float)):
        raise Refusal("options", "LEAKY_RELU carries no alpha")
    q_above, shift_above = quantize_multiplier(float(operator.input_scale) / float(operator.output_scale))
    below = float(operator.input_scale) * float(np.float32(alpha)) / float(operator.output_scale)
    q_below, shift_below = quantize_multiplier(abs(below))
    sign = -1 if below < 0 else 1
    input_zero_point, output_zero_point = operator.input_zero_point, operator.output_zero_point

    def function(x: int) -> int:
        centred = x - input_zero_point
        if centred >= 0:
            return output_zero_point + multiply_by_quantized_multiplier(centred, q_above, shift_above)
        return output_zero_point + sign * multiply_by_quantized_multiplier(centred, q_below, shift_below)

    return function


def _hard_swish(operator: _Operator) -> Function:
    """hard_swish_common.cc, reference/hard_swish.h: int16 arithmetic throughout."""
    hires_scale = float(operator.input_scale) / 128
    q, output_exponent = quantize_multiplier(hires_scale / float(operator.output_scale))
    if output_exponent > 0:
        raise Refusal("quantization", "its output scale is too fine for TFLM's HARD_SWISH")
    output_multiplier = _int16_multiplier(q)
    q, reluish_exponent = quantize_multiplier(hires_scale / (3 / 32768))
    reluish_multiplier = _int16_multiplier(q)
    input_zero_point, output_zero_point = operator.input_zero_point, operator.output_zero_point

    def function(x: int) -> int:
        hires = (x - input_zero_point) << 7
        preshift = _rounding_high_multiply_int16(hires, output_multiplier)
        reluish = hires
        if reluish_exponent > 0:
            reluish = _saturate_int16(reluish << (reluish_exponent - 1))
        reluish = _rounding_high_multiply_int16(reluish, reluish_multiplier)
        if reluish_exponent > 0:
            reluish = _saturate_int16(reluish << 1)
        if reluish_exponent < 0:
            reluish = _rounding_divide_by_pot_int16(reluish, -reluish_exponent)
        gate = (reluish + (1 << 15)) >> 1
        product = gate * preshift
        scaled = product >> 15 if product >= 0 else -(-product >> 15)
        return _wrap_int16(_rounding_divide_by_pot_int16(scaled, -output_exponent) + output_zero_point)

    return function


def _int16_multiplier(q: int) -> int:
    """A Q0.31 multiplier as Q0.15 (DownScaleInt32ToInt16Multiplier)."""
    return _INT16_MAX if q >= (1 << 31) - 1 - (1 << 15) else (q + (1 << 15)) >> 16


def _saturate_int16(value: int) -> int:
    return min(max(value, _INT16_MIN), _INT16_MAX)


def _wrap_int16(value: int) -> int:
    return (value + (1 << 15)) % (1 << 16) - (1 << 15)


def _rounding_high_multiply_int16(a: int, b: int) -> int:
    """round(a * b / 2**15) in int16, gemmlowp's SaturatingRoundingDoublingHighMul."""
    if a == b == _INT16_MIN:
        return _INT16_MAX
    nudged = a * b + ((1 << 14) if a * b >= 0 else 1 - (1 << 14))
    return nudged >> 15 if nudged >= 0 else -(-nudged >> 15)


def _rounding_divide_by_pot_int16(value: int, exponent: int) -> int:
    """gemmlowp's RoundingDivideByPOT in int16. Beyond 15 bits its mask wraps around to -1, and so does this one."""
    mask = _wrap_int16((1 << exponent) - 1)
    threshold = (mask >> 1) + (1 if value < 0 else 0)
    return (value >> exponent) + (1 if (value & mask) > threshold else 0)


def _elu(operator: _Operator) -> Function:
    """elu.cc: computed in float32 when the model is loaded."""
    inverse_scale = np.float32(1) / operator.output_scale
    output_scale_zero_point = np.float32(operator.output_zero_point)

    def function(x: int) -> int:
        real = operator.input_scale * np.float32(x - operator.input_zero_point)
        if real < 0:
            real = np.float32(math.exp(float(real))) - np.float32(1)
        rounded = np.float32(round_half_away(float(real * inverse_scale)))
        return int(rounded + output_scale_zero_point)

    return function


def _abs(operator: _Operator) -> Function:
    """elementwise.cc: |x - zero point|, rescaled only where the scales differ."""
    needs_rescale = operator.input_scale != operator.output_scale
    q, shift = quantize_multiplier(float(operator.input_scale / operator.output_scale))
    input_zero_point, output_zero_point = operator.input_zero_point, operator.output_zero_point

    def function(x: int) -> int:
        magnitude = abs(x - input_zero_point)
        if needs_rescale:
            magnitude = multiply_by_quantized_multiplier(magnitude, q, shift)
        return magnitude + output_zero_point

    return function


_RSQRT_EXTRA_BITS = 20
"""How many fraction bits RSQRT keeps between its two multiplications."""


def _rsqrt(operator: _Operator) -> Function:
    """elementwise.cc: an input of 0 gives the largest output. TFLM fails at an input below the zero point."""
    if operator.input_zero_point > -128:
        zero_point = operator.input_zero_point
        raise Refusal("quantization", f"its input zero point is {zero_point}, and TFLM stops at inputs below it")
    root = np.float32(np.sqrt(operator.input_scale))
    q, shift = quantize_multiplier(1.0 / float(root * operator.output_scale))
    if not shift - _RSQRT_EXTRA_BITS >= -31:
        raise Refusal("quantization", "its output scale is too coarse for TFLM's RSQRT")
    input_zero_point, output_zero_point = operator.input_zero_point, operator.output_zero_point

    def function(x: int) -> int:
        if x == input_zero_point:
            return 127
        root, right = gemmlowp.inverse_square_root(x - input_zero_point)
        fine = multiply_by_quantized_multiplier(1, root, right + _RSQRT_EXTRA_BITS)
        return multiply_by_quantized_multiplier(fine, q, shift - _RSQRT_EXTRA_BITS) + output_zero_point

    return function


_FUNCTIONS: Mapping[str, Callable[[_Operator], Function]] = {
    "RELU": _relu,
    "RELU6": _relu6,
    "LOGISTIC": _logistic,
    "TANH": _tanh,
    "LEAKY_RELU": _leaky_relu,
    "HARD_SWISH": _hard_swish,
    "ELU": _elu,
    "ABS": _abs,
    "RSQRT": _rsqrt,
}
