"""Operators that make an element of one element of each operand, and operators that look along the channels."""

from __future__ import annotations

from tflm_split.ir.graph import ABSENT, Graph, Operator
from tflm_split.split.axes.loops import Axes, Follows, Loops, whole
from tflm_split.split.operators.common import need


def elementwise(graph: Graph, op: Operator, output: int) -> Loops:
    """Each operand axis follows the output axis at the same place, counted from the last; axes of 1 are broadcast."""
    shape = graph.tensors[op.outputs[output]].shape
    return Loops(len(shape), shape, {k: _aligned(graph, t, shape) for k, t in enumerate(op.inputs) if t != ABSENT})


def _aligned(graph: Graph, tensor: int, shape: tuple[int, ...]) -> Axes:
    own = graph.tensors[tensor].shape
    first = len(shape) - len(own)
    fits = first >= 0 and all(size in (1, shape[first + a]) for a, size in enumerate(own))
    need(fits, "broadcast", f"its input {list(own)} does not broadcast to {list(shape)}")
    return tuple(Follows(first + a, size) if size == shape[first + a] else None for a, size in enumerate(own))


def along_channels(graph: Graph, op: Operator, output: int) -> Loops:
    """As `elementwise`, but each element needs all channels of its pixel: a softmax, a norm."""
    source, target = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[output]]
    need(source.shape == target.shape and len(source.shape) > 0, "geometry", "its input and output differ in shape")
    last = len(source.shape) - 1
    axes = [Follows(a, size) for a, size in enumerate(source.shape)]
    axes[last] = Follows(last, source.shape[last], whole(source.shape[last], source.shape[last]))
    return Loops(last + 1, target.shape, {0: tuple(axes)})
