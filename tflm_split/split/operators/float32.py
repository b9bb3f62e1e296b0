"""Operators of float32 activations and weights.

A sum of floats depends on the order of its terms. Cutting into rows does not change that order. A step sums what TFLM's
reference kernel sums for the same output, in the same order, and a feed takes in rows in TFLM's order. (Where rows run
along W the map has one line, so it does not matter whether lines or columns come first.)

SOFTMAX, LOGISTIC, TANH and ELU call the C library's expf, tanhf and expm1f, in the order in which TFLM's kernels do. The last
bit of these differs from library to library, for TFLM and for us alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from types import MappingProxyType

import numpy as np

from tflm_split.errors import Refusal
from tflm_split.ir.graph import Graph, Operator, Tensor
from tflm_split.kinds import BinaryMode, OpKind, UnaryMode
from tflm_split.split.operators.common import (
    Splitter,
    activation,
    bias_of,
    need_same_shape,
    option_float,
    option_text,
    result,
)
from tflm_split.split.operators.typed import Arithmetic, Layer, shared_splitters
from tflm_split.split.row_op import Params, Read, RowOp
from tflm_split.split.rows import SAME_ROW, row_shape

LARGEST = float(np.finfo(np.float32).max)
MAX_COUNTED = 2**24
"""The most pixels that a float32 counts exactly."""
_LIMITS = {
    "NONE": (-LARGEST, LARGEST),
    "RELU": (0.0, LARGEST),
    "RELU6": (0.0, 6.0),
    "RELU_N1_TO_1": (-1.0, 1.0),
}
"""The limits of each fused activation. TFLM clamps without one, too (CalculateActivationRange in kernel_util.h)."""


def _layer_fields(layer: Layer) -> Params:
    """Limits and bias. Without a bias TFLM adds 0, and so does this."""
    bias = bias_of(layer.graph, layer.op, 2, layer.channels, "FLOAT32")
    data = bytes(4 * layer.channels) if bias is None else bias.data or b""
    return _limits(layer.op, layer.target) | {"bias_offset": data, "flags": 0}


def _limits(op: Operator, target: Tensor) -> Params:
    name = option_text(op, "fused_activation_function")
    if name not in _LIMITS:
        raise Refusal("activation", f"its fused activation {name} is not supported")
    return {"output_min": _LIMITS[name][0], "output_max": _LIMITS[name][1]}


def _average_fields(count: int, limits: Params) -> Params:
    return {"count": float(count), **limits}


def _mean_fields(source: Tensor, target: Tensor, count: int) -> Params:
    """The divisor; a MEAN has no limits."""
    return {"count": float(count), "output_min": -inf, "output_max": inf}


def _binary_fields(op: Operator, first: Tensor, second: Tensor, target: Tensor) -> Params:
    return {"mode": int(BinaryMode[op.kind]), **_limits(op, target)}


FLOAT32 = Arithmetic(
    activations="FLOAT32",
    weights="FLOAT32",
    weight_code="<f4",
    conv=OpKind.CONV_FLOAT,
    depthwise=OpKind.DEPTHWISE_FLOAT,
    pool=OpKind.POOL_FLOAT,
    sum_feed=OpKind.SUM_FEED_FLOAT,
    binary=OpKind.BINARY_FLOAT,
    layer_fields=_layer_fields,
    limits=_limits,
    average_fields=_average_fields,
    mean_fields=_mean_fields,
    binary_fields=_binary_fields,
    most_summed=MAX_COUNTED,
    too_many="a float cannot count its pixels",
)


def split_unary(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """One row op of a float32 RELU, RELU6, LEAKY_RELU, HARD_SWISH, LOGISTIC, TANH or ELU."""
    source, target = activation(graph, op, 0, "FLOAT32"), result(graph, op, "FLOAT32")
    need_same_shape(source, target)
    shape = row_shape(source)
    reads = (Read(source.index, shape, SAME_ROW, may_be_overwritten=True),)
    if op.kind in _LIBRARY:
        called: Params = {"mode": int(UnaryMode[op.kind])}
        return (RowOp(op.index, OpKind.LIBRARY_FLOAT, reads, target.index, shape, called),)
    params: Params = {
        "mode": int(UnaryMode.CLAMP),
        "low": 0.0,
        "high": 6.0 if op.kind == "RELU6" else inf,
        "slope": 0.0,
    }
    if op.kind == "LEAKY_RELU":
        params |= {"mode": int(UnaryMode.LEAKY), "slope": option_float(op, "alpha")}
    elif op.kind == "HARD_SWISH":
        params |= {"mode": int(UnaryMode.HARD_SWISH)}
    return (RowOp(op.index, OpKind.UNARY_FLOAT, reads, target.index, shape, params),)


_LIBRARY = ("LOGISTIC", "TANH", "ELU")
"""Functions of one number that call the C library."""


def split_softmax(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """One row op of a float32 SOFTMAX."""
    source, target = activation(graph, op, 0, "FLOAT32"), result(graph, op, "FLOAT32")
    need_same_shape(source, target)
    shape = row_shape(source)
    reads = (Read(source.index, shape, SAME_ROW, may_be_overwritten=True),)
    return (RowOp(op.index, OpKind.SOFTMAX_FLOAT, reads, target.index, shape, {"beta": option_float(op, "beta")}),)


FLOAT_SPLITTERS: Mapping[str, Splitter] = MappingProxyType(
    {
        **shared_splitters(FLOAT32),
        **dict.fromkeys(("RELU", "RELU6", "LEAKY_RELU", "HARD_SWISH", *_LIBRARY), split_unary),
        "SOFTMAX": split_softmax,
    }
)
