"""Operators of int16 activations, with int8 weights where there are any: the "16x8" scheme.

No int16 tensor has a zero point. Sums are int64, or int32 where the bias is, as TFLM chooses by the bias tensor's type.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from tflm_split.arithmetic.fixed_point import quantize_multiplier, round_half_away
from tflm_split.arithmetic.int16 import binary_parameters, check_wide_shifts, softmax_parameters
from tflm_split.arithmetic.requantize import (
    activation_range,
    conv_requantization,
    dense_requantization,
    mean_parameters,
)
from tflm_split.errors import Refusal
from tflm_split.ir.graph import ABSENT, Graph, Operator, Tensor
from tflm_split.program.format import MeanMode, OpKind, PoolMode, UnaryMode, WeightFlags
from tflm_split.split.operators.binary import broadcast_read
from tflm_split.split.operators.common import (
    activation,
    constant,
    need,
    operand,
    option_text,
    per_tensor,
    result,
)
from tflm_split.split.operators.convolution import conv_geometry, convolution_row_op, depthwise_geometry
from tflm_split.split.operators.dense import POINTWISE, dense_geometry
from tflm_split.split.operators.pixel_sums import pixels_reduced, summed_over_pixels
from tflm_split.split.operators.pooling import covers_input, pool_window
from tflm_split.split.row_op import Read, RowOp
from tflm_split.split.rows import SAME_ROW, row_shape

Splitter = Callable[[Graph, Operator], tuple[RowOp, ...]]

Params = dict[str, int | float | bytes]

MAX_SUMMED_PIXELS = 32768
"""The sum of more int16 might leave 32 bits."""
_NO_CONVERSION: Params = {
    "input_zero_point": 0,
    "output_zero_point": 0,
    "multiplier": 0,
    "shift": 0,
    "negative_multiplier": 0,
    "negative_shift": 0,
    "output_min": -32768,
    "output_max": 32767,
    "scale": 1.0,
}
_RANGES = {"INT8": (-128, 127), "INT16": (-32768, 32767)}


def symmetric(tensor: Tensor) -> float:
    """The scale of a tensor whose zero point is 0."""
    scale, zero_point = per_tensor(tensor)
    need(zero_point == 0, "quantization", f"tensor {tensor.name!r} is int16 with a zero point of {zero_point}")
    return scale


def split_convolution(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """CONV_2D and DEPTHWISE_CONV_2D."""
    source, target = activation(graph, op, 0, "INT16"), result(graph, op, "INT16")
    weights = constant(graph, op, 1, "INT8")
    depthwise = op.kind == "DEPTHWISE_CONV_2D"
    geometry = (depthwise_geometry if depthwise else conv_geometry)(op, source, target, weights)
    channels = geometry.window.target.channels
    scales = _weight_scales(weights, channels, 3 if depthwise else 0)
    multipliers, shifts = conv_requantization(symmetric(source), scales, symmetric(target), channels)
    kernel = np.frombuffer(weights.data or b"", np.int8).reshape(weights.shape)
    fields = _scaling(graph, op, target, channels, multipliers, shifts)
    if depthwise and fields["flags"] != WeightFlags.PER_CHANNEL:
        raise Refusal("dtype", "its bias is INT32, and TFLM's int16 DEPTHWISE_CONV_2D reads INT64")
    fields["weights_offset"] = geometry.turn(kernel).tobytes()
    kind = OpKind.DEPTHWISE_INT16 if depthwise else OpKind.CONV_INT16
    return (convolution_row_op(op, kind, source, target, geometry, fields),)


def split_dense(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """FULLY_CONNECTED."""
    source, target = activation(graph, op, 0, "INT16"), result(graph, op, "INT16")
    weights = constant(graph, op, 1, "INT8")
    read, written = dense_geometry(op, source, target, weights)
    units, depth = weights.shape
    scales = _weight_scales(weights, units, 0)
    multipliers, shifts = dense_requantization(symmetric(source), scales, symmetric(target), units)
    fields = _scaling(graph, op, target, units, multipliers, shifts)
    params = {**POINTWISE, **fields, "weights_offset": weights.data or b""}
    reads = (Read(source.index, read),)
    return (RowOp(op.index, OpKind.CONV_INT16, reads, target.index, written, params, macs_per_step=units * depth),)


def _weight_scales(weights: Tensor, channels: int, axis: int) -> tuple[float, ...]:
    quantization = weights.quantization
    need(quantization is not None, "quantization", "its weights are not quantised")
    assert quantization is not None
    need(all(z == 0 for z in quantization.zero_points), "quantization", "its weights have a zero point that is not 0")
    need(
        len(quantization.scales) in (1, channels),
        "quantization",
        "its weights have neither one scale nor one per channel",
    )
    along = len(quantization.scales) == 1 or quantization.axis == axis
    need(along, "quantization", f"its weights are quantised along axis {quantization.axis}")
    return quantization.scales


def _scaling(
    graph: Graph, op: Operator, target: Tensor, channels: int, multipliers: tuple[int, ...], shifts: tuple[int, ...]
) -> Params:
    """Limits, bias, multipliers and the flags of a sum's way to int16."""
    low, high = activation_range(option_text(op, "fused_activation_function"), symmetric(target), 0, "INT16")
    bias, sums_32 = np.zeros(channels, np.int64), False
    if len(op.inputs) > 2 and op.inputs[2] != ABSENT:
        tensor = constant(graph, op, 2, "INT64", "INT32")
        need(tensor.elements == channels, "geometry", "its bias and output disagree on channels")
        sums_32 = tensor.dtype == "INT32"
        bias = np.frombuffer(tensor.data or b"", "<i4" if sums_32 else "<i8").astype(np.int64)
    else:
        sums_32 = op.options.get("quantized_bias_type") == "INT32"
    if not sums_32:
        check_wide_shifts(shifts)
    flags = (WeightFlags.PER_CHANNEL if len(multipliers) > 1 else 0) | (WeightFlags.SUMS_32 if sums_32 else 0)
    return {
        "output_min": low,
        "output_max": high,
        "bias_offset": bias.astype("<i8").tobytes(),
        "multipliers_offset": np.array(multipliers, "<i4").tobytes(),
        "shifts_offset": np.array(shifts, np.int8).tobytes(),
        "flags": int(flags),
    }


def split_pool(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """AVERAGE_POOL_2D and MAX_POOL_2D; an average over the whole input takes its rows as they come."""
    source, target = activation(graph, op, 0, "INT16"), result(graph, op, "INT16")
    window = pool_window(op, source, target)
    low, high = activation_range(option_text(op, "fused_activation_function"), symmetric(target), 0, "INT16")
    shape, average = window.source, op.kind == "AVERAGE_POOL_2D"
    if average and covers_input(window) and shape.rows > 1:
        count = shape.rows * shape.columns
        need(count <= MAX_SUMMED_PIXELS, "overflow", "its sum could leave 32 bits")
        fields = {"multiplier": 0, "shift": 0, "output_zero_point": 0, "output_min": low, "output_max": high}
        params = {"mode": int(MeanMode.AVERAGE_POOL), "count": count, "bias": 0, **fields}
        return (summed_over_pixels(op, OpKind.SUM_FEED_INT16, source, target, params),)
    window.need_readable()
    need(window.rows.kernel * window.columns.kernel <= MAX_SUMMED_PIXELS, "overflow", "its sum could leave 32 bits")
    mode = PoolMode.AVERAGE if average else PoolMode.MAXIMUM
    reads = (Read(source.index, shape, window.row_window),)
    limits = {"output_min": low, "output_max": high, "mode": int(mode)}
    return (RowOp(op.index, OpKind.POOL_INT16, reads, target.index, window.target, {**window.params(), **limits}),)


def split_mean(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """MEAN over all pixels."""
    source, target = activation(graph, op, 0, "INT16"), result(graph, op, "INT16")
    for tensor in (source, target):
        symmetric(tensor)
    count = pixels_reduced(graph, op, source)
    need(count <= MAX_SUMMED_PIXELS, "overflow", "its sum could leave 32 bits")
    params: Params = dict(mean_parameters(source.quantization, target.quantization, count))
    params |= {"output_min": -32768, "output_max": 32767}
    return (summed_over_pixels(op, OpKind.SUM_FEED_INT16, source, target, params),)


def split_binary(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """ADD, SUB and MUL; either operand may be a constant."""
    target = result(graph, op, "INT16")
    operands = [operand(graph, op, 0), operand(graph, op, 1)]
    for position, tensor in enumerate(operands):
        need(tensor.dtype == "INT16", "dtype", f"its input {position} is {tensor.dtype}, needs INT16")
        need(not tensor.is_variable, "variable", f"its input {position} is a variable")
    need(not all(t.is_constant for t in operands), "constant", "all its inputs are constants")
    shape = row_shape(target)
    reads = tuple(broadcast_read(tensor, target, shape) for tensor in operands)
    first, second, scale = (symmetric(tensor) for tensor in (*operands, target))
    params = binary_parameters(op.kind, first, second, scale, option_text(op, "fused_activation_function"))
    return (RowOp(op.index, OpKind.BINARY_INT16, reads, target.index, shape, params),)


def split_softmax(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """Along the channels."""
    source, target = activation(graph, op, 0, "INT16"), result(graph, op, "INT16")
    beta = op.options.get("beta")
    need(isinstance(beta, float), "option", f"its beta is {beta!r}")
    assert isinstance(beta, float)
    need(source.shape == target.shape, "geometry", "its input and output differ in shape")
    shape = row_shape(source)
    need(shape.channels <= 32767, "geometry", f"it has {shape.channels} channels")
    params = softmax_parameters(symmetric(source), beta, *per_tensor(target))
    reads = (Read(source.index, shape, may_be_overwritten=True),)
    return (RowOp(op.index, OpKind.SOFTMAX_INT16, reads, target.index, shape, params),)


def split_unary(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """RELU, RELU6, LEAKY_RELU, QUANTIZE from and to int16, DEQUANTIZE."""
    source, target = operand(graph, op, 0), result(graph, op, "INT8", "INT16", "FLOAT32")
    activation(graph, op, 0, "INT8", "INT16", "FLOAT32")
    need(source.shape == target.shape, "geometry", "its input and output differ in shape")
    params = _NO_CONVERSION | _UNARY[op.kind](op, source, target)
    read, written = row_shape(source), row_shape(target)
    same_size = read.element_bytes == written.element_bytes
    reads = (Read(source.index, read, SAME_ROW, may_be_overwritten=same_size),)
    return (RowOp(op.index, OpKind.UNARY_INT16, reads, target.index, written, params),)


def _requantize(q: int, shift: int, **others: int) -> Params:
    return {
        "mode": int(UnaryMode.REQUANTIZE),
        "multiplier": q,
        "shift": shift,
        "negative_multiplier": q,
        "negative_shift": shift,
        **others,
    }


def _quantize(op: Operator, source: Tensor, target: Tensor) -> Params:
    scale, zero_point = per_tensor(target)
    if source.dtype == "FLOAT32":
        need(target.dtype == "INT16", "dtype", f"it makes {target.dtype} of floats")
        return {"mode": int(UnaryMode.FROM_FLOAT), "output_zero_point": zero_point, "scale": scale}
    need(target.dtype in _RANGES, "dtype", f"it makes {target.dtype}")
    low, high = _RANGES[target.dtype]
    source_scale, source_zero = per_tensor(source)
    zero_points = {"input_zero_point": source_zero, "output_zero_point": zero_point}
    return _requantize(*quantize_multiplier(source_scale / scale), output_min=low, output_max=high, **zero_points)


def _dequantize(op: Operator, source: Tensor, target: Tensor) -> Params:
    need((source.dtype, target.dtype) == ("INT16", "FLOAT32"), "dtype", f"it makes {target.dtype} of {source.dtype}")
    scale, zero_point = per_tensor(source)
    return {"mode": int(UnaryMode.TO_FLOAT), "input_zero_point": zero_point, "scale": scale}


def _both_int16(source: Tensor, target: Tensor) -> tuple[float, float]:
    need(source.dtype == target.dtype == "INT16", "dtype", f"it makes {target.dtype} of {source.dtype}")
    return symmetric(source), symmetric(target)


def _relu(op: Operator, source: Tensor, target: Tensor) -> Params:
    source_scale, target_scale = _both_int16(source, target)
    return _requantize(*quantize_multiplier(source_scale / target_scale), output_min=0)


def _relu6(op: Operator, source: Tensor, target: Tensor) -> Params:
    """TFLM clamps the numbers as they are, on the input's scale."""
    source_scale, _ = _both_int16(source, target)
    six = round_half_away(float(np.float32(6) / np.float32(source_scale)))
    need(six <= 32767, "quantization", "6 lies beyond int16 on its input's scale, which TFLM refuses")
    return _requantize(1 << 30, 1, output_min=0, output_max=six)


def _leaky_relu(op: Operator, source: Tensor, target: Tensor) -> Params:
    source_scale, target_scale = _both_int16(source, target)
    alpha = op.options.get("alpha")
    need(isinstance(alpha, float) and alpha >= 0, "option", f"its alpha is {alpha!r}")
    assert isinstance(alpha, float)
    params = _requantize(*quantize_multiplier(source_scale / target_scale))
    below = quantize_multiplier(source_scale * float(np.float32(alpha)) / target_scale)
    return params | {"negative_multiplier": below[0], "negative_shift": below[1]}


_UNARY = {
    "QUANTIZE": _quantize,
    "DEQUANTIZE": _dequantize,
    "RELU": _relu,
    "RELU6": _relu6,
    "LEAKY_RELU": _leaky_relu,
}

INT16_SPLITTERS: Mapping[str, Splitter] = MappingProxyType(
    {
        "CONV_2D": split_convolution,
        "DEPTHWISE_CONV_2D": split_convolution,
        "FULLY_CONNECTED": split_dense,
        "AVERAGE_POOL_2D": split_pool,
        "MAX_POOL_2D": split_pool,
        "MEAN": split_mean,
        "ADD": split_binary,
        "SUB": split_binary,
        "MUL": split_binary,
        "SOFTMAX": split_softmax,
        **dict.fromkeys(_UNARY, split_unary),
    }
)
