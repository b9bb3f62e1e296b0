"""Operators of int16 activations, with int8 weights where there are any: the "16x8" scheme.

Every int16 tensor has the zero point 0. The bias tensor's type decides how wide sums are, as in TFLM: int32 for an int32
bias, else int64.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from tflm_split.arithmetic.fixed_point import quantize_multiplier, round_half_away
from tflm_split.arithmetic.int16 import (
    binary_parameters,
    check_wide_shifts,
    sigmoid_parameters,
    softmax_parameters,
)
from tflm_split.arithmetic.requantize import (
    activation_range,
    conv_requantization,
    dense_requantization,
    mean_parameters,
)
from tflm_split.errors import Refusal
from tflm_split.ir.graph import Graph, Operator, Tensor
from tflm_split.kinds import MeanMode, OpKind, UnaryMode, WeightFlags
from tflm_split.kinds.limits import MAX_SOFTMAX_CHANNELS_INT16, MAX_SUMMED_INT16
from tflm_split.split.operators.common import (
    Splitter,
    activation,
    bias_of,
    need,
    need_same_shape,
    operand,
    option_float,
    option_text,
    per_tensor,
    result,
    weight_scales,
)
from tflm_split.split.operators.typed import Arithmetic, Layer, shared_splitters
from tflm_split.split.row_op import Params, Read, RowOp
from tflm_split.split.rows import SAME_ROW, row_shape

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
    """The scale of an int16 tensor. Raises Refusal when its zero point is not 0."""
    scale, zero_point = per_tensor(tensor)
    need(zero_point == 0, "quantization", f"tensor {tensor.name!r} is int16 with a zero point of {zero_point}")
    return scale


def _layer_fields(layer: Layer) -> Params:
    """Limits, bias, multipliers and flags: how a sum becomes an int16."""
    op, channels = layer.op, layer.channels
    depthwise = op.kind == "DEPTHWISE_CONV_2D"
    requantization = dense_requantization if op.kind == "FULLY_CONNECTED" else conv_requantization
    scales = weight_scales(layer.weights, channels, 3 if depthwise else 0)
    multipliers, shifts = requantization(symmetric(layer.source), scales, symmetric(layer.target), channels)
    bias = bias_of(layer.graph, op, 2, channels, "INT64", "INT32")
    bias_type = op.options.get("quantized_bias_type") if bias is None else bias.dtype
    sums_32 = bias_type == "INT32"
    if sums_32 and depthwise:
        raise Refusal("dtype", "its bias is INT32, and TFLM's int16 DEPTHWISE_CONV_2D reads INT64")
    if not sums_32:
        check_wide_shifts(shifts)
    data = bytes(8 * channels)
    if bias is not None:
        data = np.frombuffer(bias.data or b"", "<i4" if sums_32 else "<i8").astype("<i8").tobytes()
    flags = (WeightFlags.PER_CHANNEL if len(multipliers) > 1 else 0) | (WeightFlags.SUMS_32 if sums_32 else 0)
    return {
        **_limits(op, layer.target),
        "bias_offset": data,
        "multipliers_offset": np.array(multipliers, "<i4").tobytes(),
        "shifts_offset": np.array(shifts, np.int8).tobytes(),
        "flags": int(flags),
    }


def _limits(op: Operator, target: Tensor) -> Params:
    low, high = activation_range(option_text(op, "fused_activation_function"), symmetric(target), 0, "INT16")
    return {"output_min": low, "output_max": high}


def _average_fields(count: int, limits: Params) -> Params:
    unused = {"bias": 0, "multiplier": 0, "shift": 0, "output_zero_point": 0}
    return {"mode": int(MeanMode.AVERAGE_POOL), "count": count, **unused, **limits}


def _mean_fields(source: Tensor, target: Tensor, count: int) -> Params:
    for tensor in (source, target):
        symmetric(tensor)
    fields = mean_parameters(source.quantization, target.quantization, count)
    return {**fields, "output_min": -32768, "output_max": 32767}


def _binary_fields(op: Operator, first: Tensor, second: Tensor, target: Tensor) -> Params:
    scales = (symmetric(first), symmetric(second), symmetric(target))
    return binary_parameters(op.kind, *scales, option_text(op, "fused_activation_function"))


INT16 = Arithmetic(
    activations="INT16",
    weights="INT8",
    weight_code="i1",
    conv=OpKind.CONV_INT16,
    depthwise=OpKind.DEPTHWISE_INT16,
    pool=OpKind.POOL_INT16,
    sum_feed=OpKind.SUM_FEED_INT16,
    binary=OpKind.BINARY_INT16,
    layer_fields=_layer_fields,
    limits=_limits,
    average_fields=_average_fields,
    mean_fields=_mean_fields,
    binary_fields=_binary_fields,
    most_summed=MAX_SUMMED_INT16,
    too_many="its sum could leave 32 bits",
)


def split_softmax(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """One row op of an int16 SOFTMAX along the channels."""
    source, target = activation(graph, op, 0, "INT16"), result(graph, op, "INT16")
    beta = option_float(op, "beta")
    need_same_shape(source, target)
    shape = row_shape(source)
    need(shape.channels <= MAX_SOFTMAX_CHANNELS_INT16, "geometry", f"it has {shape.channels} channels")
    params = softmax_parameters(symmetric(source), beta, *per_tensor(target))
    reads = (Read(source.index, shape, may_be_overwritten=True),)
    return (RowOp(op.index, OpKind.SOFTMAX_INT16, reads, target.index, shape, params),)


def split_sigmoid(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """One row op of an int16 LOGISTIC or TANH."""
    source, target = activation(graph, op, 0, "INT16"), result(graph, op, "INT16")
    need_same_shape(source, target)
    shape = row_shape(source)
    params = sigmoid_parameters(op.kind, symmetric(source), symmetric(target))
    reads = (Read(source.index, shape, may_be_overwritten=True),)
    return (RowOp(op.index, OpKind.SIGMOID_INT16, reads, target.index, shape, params),)


def split_unary(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """One row op of an int16 RELU, RELU6, LEAKY_RELU or DEQUANTIZE, or of a QUANTIZE from or to int16."""
    source, target = operand(graph, op, 0), result(graph, op, "INT8", "INT16", "FLOAT32")
    activation(graph, op, 0, "INT8", "INT16", "FLOAT32")
    need_same_shape(source, target)
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
    """TFLM clamps on the input's scale, and does not rescale."""
    source_scale, _ = _both_int16(source, target)
    six = round_half_away(float(np.float32(6) / np.float32(source_scale)))
    need(six <= 32767, "quantization", "6 lies beyond int16 on its input's scale, which TFLM refuses")
    return _requantize(1 << 30, 1, output_min=0, output_max=six)


def _leaky_relu(op: Operator, source: Tensor, target: Tensor) -> Params:
    source_scale, target_scale = _both_int16(source, target)
    alpha = option_float(op, "alpha", low=0.0)
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
        **shared_splitters(INT16),
        "SOFTMAX": split_softmax,
        **dict.fromkeys(("LOGISTIC", "TANH"), split_sigmoid),
        **dict.fromkeys(_UNARY, split_unary),
    }
)
