"""Operators of float32 activations and weights.

A sum of floats depends on the order of its terms. Rows do not change it: a step sums what TFLM's reference kernel sums
for the same output, in the same order, and a feed takes its rows in the order TFLM walks them. (Where rows run along W
the map has one line, so whether lines or columns come first makes no difference.) What needs a library's exp or tanh
stays stock: its last bit is the library's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf
from types import MappingProxyType

import numpy as np

from tflm_split.errors import Refusal
from tflm_split.ir.graph import ABSENT, Graph, Operator, Tensor
from tflm_split.program.format import BinaryMode, OpKind, PoolMode, UnaryMode
from tflm_split.split.operators.binary import broadcast_read
from tflm_split.split.operators.common import activation, constant, need, operand, option_text, result
from tflm_split.split.operators.convolution import conv_geometry, convolution_row_op, depthwise_geometry
from tflm_split.split.operators.dense import POINTWISE, dense_geometry
from tflm_split.split.operators.pixel_sums import pixels_reduced, summed_over_pixels
from tflm_split.split.operators.pooling import covers_input, pool_window
from tflm_split.split.row_op import Read, RowOp
from tflm_split.split.rows import SAME_ROW, row_shape

Params = dict[str, int | float | bytes]
Splitter = Callable[[Graph, Operator], tuple[RowOp, ...]]

LARGEST = float(np.finfo(np.float32).max)
MAX_COUNTED = 2**24
"""Pixels a float counts exactly."""
_LIMITS = {
    "NONE": (-LARGEST, LARGEST),
    "RELU": (0.0, LARGEST),
    "RELU6": (0.0, 6.0),
    "RELU_N1_TO_1": (-1.0, 1.0),
}
"""What a fused activation clamps to; without one TFLM clamps, too (CalculateActivationRange)."""


def split_convolution(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """CONV_2D and DEPTHWISE_CONV_2D."""
    source, target = activation(graph, op, 0, "FLOAT32"), result(graph, op, "FLOAT32")
    weights = constant(graph, op, 1, "FLOAT32")
    depthwise = op.kind == "DEPTHWISE_CONV_2D"
    geometry = (depthwise_geometry if depthwise else conv_geometry)(op, source, target, weights)
    kernel = np.frombuffer(weights.data or b"", "<f4").reshape(weights.shape)
    fields = _limits(op) | {
        "bias_offset": _bias(graph, op, geometry.window.target.channels),
        "weights_offset": geometry.turn(kernel).tobytes(),
        "flags": 0,
    }
    kind = OpKind.DEPTHWISE_FLOAT if depthwise else OpKind.CONV_FLOAT
    return (convolution_row_op(op, kind, source, target, geometry, fields),)


def split_dense(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """FULLY_CONNECTED."""
    source, target = activation(graph, op, 0, "FLOAT32"), result(graph, op, "FLOAT32")
    weights = constant(graph, op, 1, "FLOAT32")
    read, written = dense_geometry(op, source, target, weights)
    units, depth = weights.shape
    bias = _bias(graph, op, units)
    fields: Params = {"bias_offset": bias, "weights_offset": weights.data or b"", "flags": 0}
    params = POINTWISE | _limits(op) | fields
    reads = (Read(source.index, read),)
    return (RowOp(op.index, OpKind.CONV_FLOAT, reads, target.index, written, params, macs_per_step=units * depth),)


def _limits(op: Operator) -> Params:
    name = option_text(op, "fused_activation_function")
    if name not in _LIMITS:
        raise Refusal("activation", f"its fused activation {name} is not supported")
    return {"output_min": _LIMITS[name][0], "output_max": _LIMITS[name][1]}


def _bias(graph: Graph, op: Operator, channels: int) -> bytes:
    """TFLM adds 0 where there is none."""
    if len(op.inputs) <= 2 or op.inputs[2] == ABSENT:
        return bytes(4 * channels)
    tensor = constant(graph, op, 2, "FLOAT32")
    need(tensor.elements == channels, "geometry", "its bias and output disagree on channels")
    return tensor.data or b""


def split_pool(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """AVERAGE_POOL_2D and MAX_POOL_2D; an average over the whole input takes its rows as they come."""
    source, target = activation(graph, op, 0, "FLOAT32"), result(graph, op, "FLOAT32")
    window = pool_window(op, source, target)
    shape, average = window.source, op.kind == "AVERAGE_POOL_2D"
    if average and covers_input(window) and shape.rows > 1:
        return (_sum(op, source, target, shape.rows * shape.columns, _limits(op)),)
    window.need_readable()
    need(window.rows.kernel * window.columns.kernel <= MAX_COUNTED, "overflow", "a float cannot count its pixels")
    mode = PoolMode.AVERAGE if average else PoolMode.MAXIMUM
    params = {**window.params(), **_limits(op), "mode": int(mode)}
    reads = (Read(source.index, shape, window.row_window),)
    return (RowOp(op.index, OpKind.POOL_FLOAT, reads, target.index, window.target, params),)


def split_mean(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """MEAN over all pixels; nothing limits its result."""
    source, target = activation(graph, op, 0, "FLOAT32"), result(graph, op, "FLOAT32")
    count = pixels_reduced(graph, op, source)
    return (_sum(op, source, target, count, {"output_min": -inf, "output_max": inf}),)


def _sum(op: Operator, source: Tensor, target: Tensor, count: int, limits: Params) -> RowOp:
    need(count <= MAX_COUNTED, "overflow", "a float cannot count its pixels")
    return summed_over_pixels(op, OpKind.SUM_FEED_FLOAT, source, target, {"count": float(count), **limits})


def split_binary(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """ADD, SUB and MUL; either operand may be a constant."""
    target = result(graph, op, "FLOAT32")
    operands = [operand(graph, op, 0), operand(graph, op, 1)]
    for position, tensor in enumerate(operands):
        need(tensor.dtype == "FLOAT32", "dtype", f"its input {position} is {tensor.dtype}, needs FLOAT32")
        need(not tensor.is_variable, "variable", f"its input {position} is a variable")
    need(not all(t.is_constant for t in operands), "constant", "all its inputs are constants")
    shape = row_shape(target)
    reads = tuple(broadcast_read(tensor, target, shape) for tensor in operands)
    params = {"mode": int(BinaryMode[op.kind]), **_limits(op)}
    return (RowOp(op.index, OpKind.BINARY_FLOAT, reads, target.index, shape, params),)


def split_unary(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """RELU, RELU6 and LEAKY_RELU."""
    source, target = activation(graph, op, 0, "FLOAT32"), result(graph, op, "FLOAT32")
    need(source.shape == target.shape, "geometry", "its input and output differ in shape")
    params: Params = {
        "mode": int(UnaryMode.CLAMP),
        "low": 0.0,
        "high": 6.0 if op.kind == "RELU6" else inf,
        "slope": 0.0,
    }
    if op.kind == "LEAKY_RELU":
        alpha = op.options.get("alpha")
        need(isinstance(alpha, float) and alpha == alpha, "option", f"its alpha is {alpha!r}")
        assert isinstance(alpha, float)
        params |= {"mode": int(UnaryMode.LEAKY), "slope": alpha}
    shape = row_shape(source)
    reads = (Read(source.index, shape, SAME_ROW, may_be_overwritten=True),)
    return (RowOp(op.index, OpKind.UNARY_FLOAT, reads, target.index, shape, params),)


def refuse_library_function(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """What differs from one C library to the next in the last bit."""
    raise Refusal("library", f"TFLM's float {op.kind} takes a function of the C library, whose last bit is its own")


FLOAT_SPLITTERS: Mapping[str, Splitter] = MappingProxyType(
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
        "RELU": split_unary,
        "RELU6": split_unary,
        "LEAKY_RELU": split_unary,
        **dict.fromkeys(("SOFTMAX", "LOGISTIC", "TANH", "ELU"), refuse_library_function),
    }
)
