"""CONV_2D and DEPTHWISE_CONV_2D by rows: an output row reads the input rows that its kernel touches.

Each row is computed once:

    input rows     0 1 2 3 4 5 6 7        kernel 3, stride 2, no padding
    output row 0   # # #
    output row 1       # # #              row 2 is shared, and kept until step 1 is done
    output row 2           # # #
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tflm_split.arithmetic.fixed_point import (
    rounding_divide_by_pot_array,
    saturating_rounding_doubling_high_multiply_array,
)
from tflm_split.arithmetic.requantize import activation_range, conv_requantization
from tflm_split.ir.graph import Graph, Operator, Tensor
from tflm_split.kinds import OpKind, WeightFlags
from tflm_split.split.operators.common import (
    activation,
    bias_of,
    constant,
    need,
    option_int,
    option_text,
    per_tensor,
    result,
    weight_scales,
)
from tflm_split.split.operators.window import SlidingWindow, sliding_window
from tflm_split.split.row_op import Params, Read, RowOp

HOW = {
    "CONV_2D": "any window, stride, dilation, groups; a row reads the rows its kernel touches, at most 32 in groups",
    "DEPTHWISE_CONV_2D": "as CONV_2D, with any multiplier",
}
"""Operator -> in a few words, how it is cut: for SUPPORTED.md."""


@dataclass(frozen=True, slots=True)
class Geometry:
    """What convolutions of all element types have in common.

    `groups` is the depth multiplier of a depthwise convolution. `macs_per_row` counts the multiply-accumulates of one
    output row.
    """

    window: SlidingWindow
    groups: int
    macs_per_row: int

    def turn(self, kernel: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """`kernel` [.., height, width, channels] as [.., rows, columns, channels]: swapped where rows run along W."""
        return kernel.swapaxes(-3, -2) if self.window.transposed else kernel


def conv_geometry(op: Operator, source: Tensor, target: Tensor, weights: Tensor, tall: bool = False) -> Geometry:
    """The geometry of a CONV_2D with weights [out, height, width, in / groups]. Raises Refusal when shapes do not fit.

    The shapes give the number of groups, as in TFLM. `tall`: the window may have any number of rows.
    """
    need(len(weights.shape) == 4, "geometry", "its weights are not 4-dimensional")
    channels_out, height, width, channels_per_group = weights.shape
    window = sliding_window(op, source, target, (height, width), dilated=True)
    if not tall:
        window.need_readable()
    channels_in = window.source.channels
    need(channels_out == window.target.channels, "geometry", "its weights and output disagree on channels")
    need(
        channels_per_group > 0 and channels_in % channels_per_group == 0,
        "geometry",
        "its weights and input disagree on channels",
    )
    groups = channels_in // channels_per_group
    need(
        channels_out % groups == 0, "geometry", f"its {channels_out} output channels do not divide into {groups} groups"
    )
    return Geometry(window, groups, window.target.columns * channels_out * height * width * channels_per_group)


def depthwise_geometry(op: Operator, source: Tensor, target: Tensor, weights: Tensor) -> Geometry:
    """The geometry of a DEPTHWISE_CONV_2D with weights [1, height, width, out]. Raises Refusal when shapes do not fit.

    Output channel c reads input channel c // multiplier.
    """
    need(
        len(weights.shape) == 4 and weights.shape[0] == 1,
        "geometry",
        "its weights are not [1, height, width, channels]",
    )
    _, height, width, channels_out = weights.shape
    window = sliding_window(op, source, target, (height, width), dilated=True)
    window.need_readable()
    channels_in = window.source.channels
    need(channels_out == window.target.channels, "geometry", "its weights and output disagree on channels")
    need(channels_out % channels_in == 0, "geometry", "its output channels are no multiple of its input channels")
    multiplier = channels_out // channels_in
    need(
        option_int(op, "depth_multiplier") == multiplier,
        "option",
        f"its depth_multiplier is {op.options.get('depth_multiplier')}, its shapes say {multiplier}",
    )
    return Geometry(window, multiplier, window.target.columns * channels_out * height * width)


def split_convolution(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """One row op of a CONV_2D of int8 input, weights and output."""
    source, target = activation(graph, op, 0, "INT8"), result(graph, op, "INT8")
    weights = constant(graph, op, 1, "INT8")
    geometry = conv_geometry(op, source, target, weights)
    kernel = np.frombuffer(weights.data or b"", np.int8).reshape(weights.shape)
    sums = kernel.astype(np.int64).sum(axis=(1, 2, 3))
    fields = requantized(graph, op, weights, 0, sums, source, target)
    kernel, fields = without_dead_channels(kernel, 0, fields)
    fields["weights_offset"] = geometry.turn(kernel).tobytes()
    return (convolution_row_op(op, OpKind.CONV, source, target, geometry, fields),)


def split_depthwise(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """One row op of a DEPTHWISE_CONV_2D of int8 input, weights and output."""
    source, target = activation(graph, op, 0, "INT8"), result(graph, op, "INT8")
    weights = constant(graph, op, 1, "INT8")
    geometry = depthwise_geometry(op, source, target, weights)
    kernel = np.frombuffer(weights.data or b"", np.int8).reshape(weights.shape)
    sums = kernel.astype(np.int64).sum(axis=(0, 1, 2))
    fields = requantized(graph, op, weights, 3, sums, source, target)
    kernel, fields = without_dead_channels(kernel, 3, fields)
    fields["weights_offset"] = geometry.turn(kernel).tobytes()
    return (convolution_row_op(op, OpKind.DEPTHWISE, source, target, geometry, fields),)


def convolution_row_op(
    op: Operator,
    kind: OpKind,
    source: Tensor,
    target: Tensor,
    geometry: Geometry,
    fields: Params,
) -> RowOp:
    """The row op of a convolution. Its parameters are its window, its groups and `fields`."""
    window = geometry.window
    reads = (Read(source.index, window.source, window.row_window),)
    params = {**window.params(), "groups": geometry.groups, **fields}
    return RowOp(op.index, kind, reads, target.index, window.target, params, macs_per_step=geometry.macs_per_row)


def requantized(
    graph: Graph,
    op: Operator,
    weights: Tensor,
    channel_axis: int,
    weight_sums: npt.NDArray[np.int64],
    source: Tensor,
    target: Tensor,
    bias_position: int = 2,
) -> Params:
    """The requantisation fields of an int8 convolution: what TFLM computes in `Prepare`, and the folded bias.

    `channel_axis` is the weights' axis of output channels. `weight_sums` holds the sum of each output channel's weights.
    """
    source_scale, source_zero = per_tensor(source)
    target_scale, target_zero = per_tensor(target)
    channels = len(weight_sums)
    scales = weight_scales(weights, channels, channel_axis)
    low, high = activation_range(option_text(op, "fused_activation_function"), target_scale, target_zero, target.dtype)
    multipliers, shifts = conv_requantization(source_scale, scales, target_scale, channels)
    bias = folded_bias(graph, op, source_zero, weight_sums, bias_position)
    return {
        "input_zero_point": source_zero,
        "output_zero_point": target_zero,
        "output_min": low,
        "output_max": high,
        "bias_offset": bias,
        "multipliers_offset": np.array(multipliers, "<i4").tobytes(),
        "shifts_offset": np.array(shifts, np.int8).tobytes(),
        "flags": int(WeightFlags.PER_CHANNEL),
    }


def _integers(fields: Params, name: str, dtype: npt.DTypeLike) -> npt.NDArray[np.int64]:
    constant = fields[name]
    assert isinstance(constant, bytes)
    return np.frombuffer(constant, dtype).astype(np.int64)


def without_dead_channels(
    kernel: npt.NDArray[np.int8], axis: int, fields: Params
) -> tuple[npt.NDArray[np.int8], Params]:
    """The same convolution, with weights 0 where a channel's output is the same whatever the input is.

    Such channels have a multiplier of 0, a shift that leaves nothing of the largest sum, or a bias that outweighs all else.
    They occur in real models. Their bias, multiplier and shift become others that give the same output, which kernels compute
    fast. `axis` is the kernel's axis of output channels.
    """
    multipliers = _integers(fields, "multipliers_offset", "<i4")
    shifts = _integers(fields, "shifts_offset", np.int8)
    bias = _integers(fields, "bias_offset", "<i4")
    others = tuple(a for a in range(kernel.ndim) if a != axis)
    wide = kernel.astype(np.int64)
    least = bias + np.where(wide > 0, wide * -128, wide * 127).sum(axis=others)
    largest = bias + np.where(wide > 0, wide * 127, wide * -128).sum(axis=others)
    outputs = [_output_of(sums, multipliers, np.minimum(shifts, 0), fields) for sums in (least, largest)]
    wraps = (least < -(1 << 31)) | (largest >= 1 << 31)
    dead = (multipliers == 0) | ((outputs[0] == outputs[1]) & ~wraps & (shifts <= 0))
    if not dead.any():
        return kernel, fields
    alive = np.where(dead, 0, 1).astype(np.int8)
    shape = tuple(len(alive) if a == axis else 1 for a in range(kernel.ndim))
    value = np.where(multipliers == 0, 0, outputs[0] - _integer(fields, "output_zero_point"))
    quiet = {
        **fields,
        "bias_offset": np.where(dead, 4 * value, bias).astype("<i4").tobytes(),
        "multipliers_offset": np.where(dead, 1 << 30, multipliers).astype("<i4").tobytes(),
        "shifts_offset": np.where(dead, -1, shifts).astype(np.int8).tobytes(),
    }
    return kernel * alive.reshape(shape), quiet


def _integer(fields: Params, name: str) -> int:
    value = fields[name]
    assert isinstance(value, int)
    return value


def _output_of(
    sums: npt.NDArray[np.int64], multipliers: npt.NDArray[np.int64], shifts: npt.NDArray[np.int64], fields: Params
) -> npt.NDArray[np.int64]:
    """The outputs of channels whose sums are these, for shifts that are not to the left."""
    scaled = rounding_divide_by_pot_array(saturating_rounding_doubling_high_multiply_array(sums, multipliers), -shifts)
    shifted = scaled + _integer(fields, "output_zero_point")
    return np.clip(shifted, _integer(fields, "output_min"), _integer(fields, "output_max"))


def folded_bias(
    graph: Graph,
    op: Operator,
    source_zero: int,
    weight_sums: npt.NDArray[np.int64],
    position: int = 2,
) -> bytes:
    """int32[channels] as bytes: bias - zero_point * sum(weights), modulo 2**32.

    Some real models carry biases of +-(2**31 - 1) in dead channels, so that the accumulator wraps around. It wraps around
    in TFLM, too. Modulo 2**32 the order of additions does not matter, so the result is the same.
    """
    bias = np.zeros(len(weight_sums), np.int64)
    tensor = bias_of(graph, op, position, len(bias), "INT32")
    if tensor is not None:
        bias = np.frombuffer(tensor.data or b"", "<i4").astype(np.int64)
    return ((bias - source_zero * weight_sums) & 0xFFFFFFFF).astype("<u4").tobytes()
