"""SVDF_FEATURE and SVDF_TIME, the two products of an SVDF (`rewrite/svdf.py`). No file holds them.

Their scales are float32 products and quotients, as PrepareSvdf in svdf_common.cc computes them. (The operators they are
like, FULLY_CONNECTED and DEPTHWISE_CONV_2D, use doubles.)
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tflm_split.arithmetic.fixed_point import quantize_multiplier
from tflm_split.ir.graph import Graph, Operator, Tensor
from tflm_split.kinds import OpKind, WeightFlags
from tflm_split.split.operators.common import activation, constant, need, per_tensor, result, weight_scales
from tflm_split.split.operators.convolution import folded_bias
from tflm_split.split.operators.dense import POINTWISE
from tflm_split.split.row_op import Params, Read, RowOp
from tflm_split.split.rows import RowShape, Window, row_shape

SVDF_FEATURE, SVDF_TIME = "SVDF_FEATURE", "SVDF_TIME"


def split_feature(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """One row: each filter's product with the whole input."""
    source, target = activation(graph, op, 0, "INT8"), result(graph, op, "INT8")
    weights = constant(graph, op, 1, "INT8")
    filters, depth = weights.shape
    kernel = np.frombuffer(weights.data or b"", np.int8).reshape(weights.shape).astype(np.int64)
    params: Params = {
        **POINTWISE,
        **_requantized(graph, op, weights, kernel.sum(axis=1), (source, target)),
        "weights_offset": weights.data or b"",
        "flags": 0,
    }
    read = Read(source.index, RowShape(1, 1, depth, 1))
    written = RowShape(1, 1, filters, 1)
    return (RowOp(op.index, OpKind.CONV, (read,), target.index, written, params, macs_per_step=filters * depth),)


def split_time(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """One row: each filter's product with its column of the ring. Those of one unit are added up.

    A filter is a unit for rank 1: a depthwise convolution. Else it is a convolution with as many groups as units.
    """
    source, target = activation(graph, op, 0, "INT8"), result(graph, op, "INT8")
    weights = constant(graph, op, 1, "INT8")
    filters, memory = weights.shape
    units = target.elements
    kernel = np.frombuffer(weights.data or b"", np.int8).reshape(units, filters // units, memory)
    shape = row_shape(source)
    need(shape == RowShape(memory, 1, filters, 1), "geometry", "its ring and weights differ")
    sums = kernel.astype(np.int64).sum(axis=(1, 2))
    depthwise = units == filters
    params: Params = {
        **POINTWISE,
        **_requantized(graph, op, weights, sums, (source, target), units),
        "kernel_rows": memory,
        "groups": 1 if depthwise else units,
        "weights_offset": (kernel[:, 0].T if depthwise else kernel.swapaxes(1, 2)).tobytes(),
        "flags": int(WeightFlags.PER_CHANNEL),
    }
    read = Read(source.index, shape, Window(memory))
    written = RowShape(1, 1, units, 1)
    kind = OpKind.DEPTHWISE if depthwise else OpKind.CONV
    return (RowOp(op.index, kind, (read,), target.index, written, params, macs_per_step=filters * memory),)


def _requantized(
    graph: Graph,
    op: Operator,
    weights: Tensor,
    weight_sums: npt.NDArray[np.int64],
    between: tuple[Tensor, Tensor],
    entries: int = 1,
) -> Params:
    """The requantisation from the first tensor of `between` to the second: `entries` equal multipliers and shifts."""
    (source_scale, source_zero), (target_scale, target_zero) = map(per_tensor, between)
    scales = weight_scales(weights, len(weight_sums), None)
    need(len(scales) == 1, "quantization", "its weights have a scale per filter")
    scale = np.float32(source_scale) * np.float32(scales[0]) / np.float32(target_scale)
    multiplier, shift = quantize_multiplier(float(scale))
    return {
        "input_zero_point": source_zero,
        "output_zero_point": target_zero,
        "output_min": -128,
        "output_max": 127,
        "bias_offset": folded_bias(graph, op, source_zero, weight_sums),
        "multipliers_offset": np.full(entries, multiplier, "<i4").tobytes(),
        "shifts_offset": np.full(entries, shift, np.int8).tobytes(),
    }
