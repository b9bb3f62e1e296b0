"""Operators of int16 and of float32. They are cut alike and differ in their arithmetic, which each type gives as fields."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from tflm_split.ir.graph import Graph, Operator, Tensor
from tflm_split.kinds import OpKind, PoolMode
from tflm_split.split.operators.binary import broadcast_read, two_operands
from tflm_split.split.operators.common import Splitter, activation, constant, need, result
from tflm_split.split.operators.convolution import conv_geometry, convolution_row_op, depthwise_geometry
from tflm_split.split.operators.dense import POINTWISE, dense_geometry
from tflm_split.split.operators.pixel_sums import pixels_reduced, summed_over_pixels
from tflm_split.split.operators.pooling import covers_input, pool_window
from tflm_split.split.row_op import Params, Read, RowOp
from tflm_split.split.rows import row_shape


@dataclass(frozen=True, slots=True)
class Layer:
    """An operator with weights: all that its arithmetic depends on."""

    graph: Graph
    op: Operator
    source: Tensor
    target: Tensor
    weights: Tensor
    channels: int
    """Channels of the output."""


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """A scheme: the types of its tensors, the kinds of step that compute with them, and the fields of their records.

    `layer_fields`: of convolutions and FULLY_CONNECTED, all but window, groups and weights. `limits`: `output_min` and
    `output_max` of a fused activation. `average_fields`, `mean_fields`: of the sum of a number of pixels.
    `binary_fields`: of an operator of two operands. Each raises Refusal where TFLM computes something else.
    """

    activations: str
    weights: str
    weight_code: str
    """numpy's code for the type of the weights, little-endian."""
    conv: OpKind
    depthwise: OpKind
    pool: OpKind
    sum_feed: OpKind
    binary: OpKind
    layer_fields: Callable[[Layer], Params]
    limits: Callable[[Operator, Tensor], Params]
    average_fields: Callable[[int, Params], Params]
    mean_fields: Callable[[Tensor, Tensor, int], Params]
    binary_fields: Callable[[Operator, Tensor, Tensor, Tensor], Params]
    most_summed: int
    """The most pixels that can be summed up exactly."""
    too_many: str
    """The reason of the refusal when there are more."""

    def tensors(self, graph: Graph, op: Operator) -> tuple[Tensor, Tensor]:
        """(input, output) of an operator of one input. Raises Refusal for other types."""
        return activation(graph, op, 0, self.activations), result(graph, op, self.activations)

    def need_countable(self, pixels: int) -> None:
        """Refuse a sum of more pixels than can be summed up exactly."""
        need(pixels <= self.most_summed, "overflow", self.too_many)


def split_convolution(by: Arithmetic, graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """One row op of a CONV_2D or DEPTHWISE_CONV_2D."""
    source, target = by.tensors(graph, op)
    weights = constant(graph, op, 1, by.weights)
    depthwise = op.kind == "DEPTHWISE_CONV_2D"
    geometry = (depthwise_geometry if depthwise else conv_geometry)(op, source, target, weights)
    kernel = np.frombuffer(weights.data or b"", by.weight_code).reshape(weights.shape)
    fields = by.layer_fields(Layer(graph, op, source, target, weights, geometry.window.target.channels))
    fields["weights_offset"] = geometry.turn(kernel).tobytes()
    kind = by.depthwise if depthwise else by.conv
    return (convolution_row_op(op, kind, source, target, geometry, fields),)


def split_dense(by: Arithmetic, graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """One row op of a FULLY_CONNECTED."""
    source, target = by.tensors(graph, op)
    weights = constant(graph, op, 1, by.weights)
    read, written = dense_geometry(op, source, target, weights)
    units, depth = weights.shape
    fields = by.layer_fields(Layer(graph, op, source, target, weights, units))
    params = {**POINTWISE, **fields, "weights_offset": weights.data or b""}
    reads = (Read(source.index, read),)
    return (RowOp(op.index, by.conv, reads, target.index, written, params, macs_per_step=units * depth),)


def split_pool(by: Arithmetic, graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """One row op of an AVERAGE_POOL_2D or MAX_POOL_2D. An average over the whole input takes in row after row."""
    source, target = by.tensors(graph, op)
    window = pool_window(op, source, target)
    limits = by.limits(op, target)
    shape, average = window.source, op.kind == "AVERAGE_POOL_2D"
    if average and covers_input(window) and shape.rows > 1:
        count = shape.rows * shape.columns
        by.need_countable(count)
        return (summed_over_pixels(op, by.sum_feed, source, target, by.average_fields(count, limits)),)
    window.need_readable()
    by.need_countable(window.rows.kernel * window.columns.kernel)
    params = {**window.params(), **limits, "mode": int(PoolMode.AVERAGE if average else PoolMode.MAXIMUM)}
    reads = (Read(source.index, shape, window.row_window),)
    return (RowOp(op.index, by.pool, reads, target.index, window.target, params),)


def split_mean(by: Arithmetic, graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """One row op of a MEAN over all pixels."""
    source, target = by.tensors(graph, op)
    count = pixels_reduced(graph, op, source)
    by.need_countable(count)
    return (summed_over_pixels(op, by.sum_feed, source, target, by.mean_fields(source, target, count)),)


def split_binary(by: Arithmetic, graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """One row op of an ADD, SUB or MUL. Either operand may be a constant."""
    target = result(graph, op, by.activations)
    operands = two_operands(graph, op, by.activations)
    shape = row_shape(target)
    reads = tuple(broadcast_read(tensor, target, shape) for tensor in operands)
    params = by.binary_fields(op, *operands, target)
    return (RowOp(op.index, by.binary, reads, target.index, shape, params),)


_SPLITTERS: dict[str, Callable[[Arithmetic, Graph, Operator], tuple[RowOp, ...]]] = {
    "CONV_2D": split_convolution,
    "DEPTHWISE_CONV_2D": split_convolution,
    "FULLY_CONNECTED": split_dense,
    "AVERAGE_POOL_2D": split_pool,
    "MAX_POOL_2D": split_pool,
    "MEAN": split_mean,
    "ADD": split_binary,
    "SUB": split_binary,
    "MUL": split_binary,
}


def shared_splitters(by: Arithmetic) -> dict[str, Splitter]:
    """The splitters of those kinds of operator that int16 and float32 have in common."""
    return {kind: partial(split, by) for kind, split in _SPLITTERS.items()}
