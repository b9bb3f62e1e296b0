"""Convolutions, pools and resizing: rows and columns follow by windows, channels as each kind needs them."""

from __future__ import annotations

from collections.abc import Sequence

from tflm_split.ir.graph import ABSENT, Graph, Operator, Tensor
from tflm_split.split.axes.loops import Axes, Follows, Loops, Reach, Relation, in_blocks
from tflm_split.split.operators.common import need, operand, option_int
from tflm_split.split.operators.resize import resize_reaches
from tflm_split.split.operators.transpose_conv import transposed_axis
from tflm_split.split.operators.window import window_axes
from tflm_split.split.rows import TransposedWindow, Window

_CHANNELS = 3
_SUMMED = 4
"""The loop over the input channels of a convolution, after the four axes of its output."""


def convolution(graph: Graph, op: Operator, output: int) -> Loops:
    """CONV_2D, weights [out, height, width, in / groups]: an output channel sums over its group's input channels."""
    source, weights, target = (
        _map(operand(graph, op, 0)),
        operand(graph, op, 1),
        _map(graph.tensors[op.outputs[output]]),
    )
    need(len(weights.shape) == 4, "geometry", "its weights are not 4-dimensional")
    made, height, width, depth = weights.shape
    channels = source.shape[_CHANNELS]
    need(made == target.shape[_CHANNELS] and depth > 0 and channels % depth == 0, "geometry", "its channels do not fit")
    groups = channels // depth
    need(made % groups == 0, "geometry", "its output channels do not divide into its groups")
    summed = Follows(_SUMMED, depth) if groups == 1 else None
    read = summed or Follows(_CHANNELS, channels, in_blocks(made // groups, depth))
    axes = _pixels(source, target, _windows(op, source, target, (height, width), dilated=True), read)
    operands = {0: axes, 1: (_own(made), None, None, summed), **_bias(op, 2, made)}
    return Loops(4, (*target.shape, depth), operands)


def depthwise(graph: Graph, op: Operator, output: int) -> Loops:
    """DEPTHWISE_CONV_2D, weights [1, height, width, out]: output channel c needs input channel c // multiplier."""
    source, weights, target = (
        _map(operand(graph, op, 0)),
        operand(graph, op, 1),
        _map(graph.tensors[op.outputs[output]]),
    )
    need(len(weights.shape) == 4 and weights.shape[0] == 1, "geometry", "its weights are no depthwise kernel")
    _, height, width, made = weights.shape
    channels = source.shape[_CHANNELS]
    need(made == target.shape[_CHANNELS] and made % channels == 0, "geometry", "its channels do not fit")
    read = Follows(_CHANNELS, channels, in_blocks(made // channels, 1))
    axes = _pixels(source, target, _windows(op, source, target, (height, width), dilated=True), read)
    return Loops(4, target.shape, {0: axes, 1: (None, None, None, _own(made)), **_bias(op, 2, made)})


def transposed_convolution(graph: Graph, op: Operator, output: int) -> Loops:
    """TRANSPOSE_CONV of (shape, weights [out, height, width, in], input, bias): an input pixel reaches a kernel of outputs."""
    weights, source, target = (
        operand(graph, op, 1),
        _map(operand(graph, op, 2)),
        _map(graph.tensors[op.outputs[output]]),
    )
    need(len(weights.shape) == 4, "geometry", "its weights are not 4-dimensional")
    made, height, width, depth = weights.shape
    need(made == target.shape[_CHANNELS] and depth == source.shape[_CHANNELS], "geometry", "its channels do not fit")
    rows, columns = (
        transposed_axis(op, k, size, n) for k, size, n in zip("hw", (height, width), target.shape[1:3], strict=True)
    )
    reaches = [TransposedWindow(axis.kernel, axis.stride, axis.pad) for axis in (rows, columns)]
    summed = Follows(_SUMMED, depth)
    axes = _pixels(source, target, reaches, summed)
    return Loops(4, (*target.shape, depth), {1: (_own(made), None, None, summed), 2: axes, **_bias(op, 3, made)})


def pool(graph: Graph, op: Operator, output: int) -> Loops:
    """Pools work channel by channel. Rows or columns that one window takes in whole are a reduction."""
    source, target = _map(operand(graph, op, 0)), _map(graph.tensors[op.outputs[output]])
    kernel = (option_int(op, "filter_height"), option_int(op, "filter_width"))
    by_window = _channel_by_channel(source, target, _windows(op, source, target, kernel, dilated=False))
    axes = list(by_window.operands[0])
    sizes = list(target.shape)
    for axis, follows in enumerate(axes):
        if axis in (1, 2) and target.shape[axis] == 1 and by_window.of_input(0, axis) is Relation.REDUCTION:
            assert follows is not None
            axes[axis] = Follows(len(sizes), follows.size)
            sizes.append(follows.size)
    return Loops(4, tuple(sizes), {0: tuple(axes)})


def resize(graph: Graph, op: Operator, output: int) -> Loops:
    """RESIZE works channel by channel. A row (or column) is a copy of one, or a mix of two."""
    source, target = _map(operand(graph, op, 0)), _map(graph.tensors[op.outputs[output]])
    return _channel_by_channel(source, target, resize_reaches(op, source, target))


def _channel_by_channel(source: Tensor, target: Tensor, reaches: Sequence[Reach]) -> Loops:
    channels = target.shape[_CHANNELS]
    need(source.shape[_CHANNELS] == channels, "geometry", "its input and output disagree on channels")
    return Loops(4, target.shape, {0: _pixels(source, target, reaches, _own(channels))})


def _map(tensor: Tensor) -> Tensor:
    need(len(tensor.shape) == 4, "rank", f"tensor {tensor.name!r} is not 4-dimensional")
    need(tensor.elements > 0, "shape", f"tensor {tensor.name!r} is empty")
    return tensor


def _windows(op: Operator, source: Tensor, target: Tensor, kernel: tuple[int, int], dilated: bool) -> list[Window]:
    axes = window_axes(op, source, target, kernel, dilated)
    return [Window(axis.kernel, axis.stride, axis.dilation, axis.pad) for axis in axes]


def _pixels(source: Tensor, target: Tensor, reaches: Sequence[Reach], channels: Follows) -> Axes:
    """What the axes of a map follow: the batch index by index, rows and columns by `reaches`, channels as given."""
    need(source.shape[0] == target.shape[0], "batch", "its input and output differ in batch")
    batch, height, width, _ = source.shape
    return Follows(0, batch), Follows(1, height, reaches[0]), Follows(2, width, reaches[1]), channels


def _own(channels: int) -> Follows:
    return Follows(_CHANNELS, channels)


def _bias(op: Operator, position: int, channels: int) -> dict[int, Axes]:
    there = len(op.inputs) > position and op.inputs[position] != ABSENT
    return {position: (_own(channels),)} if there else {}
