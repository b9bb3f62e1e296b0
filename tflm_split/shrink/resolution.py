"""What would a file look like for pictures of another size? Shapes followed through its operators, weights as they are.

Only costs may be read off the result: a fully connected layer behind a flattened map gets weights of another number, which
nobody trained.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from tflm_split.errors import InputError
from tflm_split.ir.graph import ABSENT, Graph, Model, Operator, Tensor
from tflm_split.tflite.resize import with_tensors

_SAME = frozenset(
    {
        "RELU", "RELU6", "LOGISTIC", "TANH", "HARD_SWISH", "LEAKY_RELU", "ELU", "GELU", "QUANTIZE", "DEQUANTIZE",
        "SOFTMAX", "LOG_SOFTMAX", "PRELU", "ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM",
    }
)  # fmt: skip
Shape = tuple[int, ...]


def input_side(model: Model) -> int:
    """Rows of the model's input. Raises InputError unless it is one picture [1, rows, columns, channels]."""
    graph = model.graph
    shape = graph.tensors[graph.inputs[0]].shape if len(graph.inputs) == 1 else ()
    if len(shape) != 4:
        raise InputError("the model's input is no picture, so there is no resolution to change")
    return shape[1]


def at_resolution(model: Model, rows: int, columns: int) -> Model:
    """`model` for pictures of `rows` by `columns`. Raises InputError where an operator does not allow that, or is unknown."""
    input_side(model)
    graph = model.graph
    x = graph.inputs[0]
    old = graph.tensors[x].shape
    sizes = _Sizes(graph, {x: replace(graph.tensors[x], shape=(old[0], rows, columns, old[3]))})
    for op in graph.operators:
        sizes.follow(op)
    return with_tensors(model, sizes.changed)


def largest(model: Model, fits: Callable[[Model], bool], steps: Sequence[int]) -> int | None:
    """The largest of the resolutions `steps` (ascending) that fits, as rows. None if not even the first does.

    More rows never need less memory by much, so the border is found by halving; each answer is that of a plan of its own.
    """

    def good(k: int) -> bool:
        side = input_side(model)
        old = model.graph.tensors[model.graph.inputs[0]].shape
        try:
            return fits(at_resolution(model, steps[k], max(1, round(steps[k] * old[2] / side))))
        except InputError:
            return False

    low, high = -1, len(steps)
    while high - low > 1:
        middle = (low + high) // 2
        if good(middle):
            low = middle
        else:
            high = middle
    return steps[low] if low >= 0 else None


@dataclass(frozen=True, slots=True)
class _Sizes:
    """The tensors that have another shape so far."""

    graph: Graph
    changed: dict[int, Tensor]

    def shape(self, tensor: int) -> Shape:
        return self.changed.get(tensor, self.graph.tensors[tensor]).shape

    def follow(self, op: Operator) -> None:
        if not any(t in self.changed for t in op.inputs):
            return
        output = op.outputs[0]
        made = self._made(op)
        if any(d < 1 for d in made):
            raise InputError(f"pictures of this size are too small for {self.graph.label(op)}")
        old = self.graph.tensors[output]
        if made != old.shape:
            self.changed[output] = replace(old, shape=made)

    def _made(self, op: Operator) -> Shape:
        shape, old = self.shape(op.inputs[0]), self.graph.tensors[op.outputs[0]].shape
        if op.kind in _SAME:
            wide = [self.shape(t) for t in op.inputs if t != ABSENT]
            return tuple(max(dims) for dims in zip(*(s for s in wide if len(s) == len(old)), strict=True))
        if op.kind in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            kernel = self.graph.tensors[op.inputs[1]].shape
            return self._window(op, shape, (kernel[1], kernel[2]), old[3])
        if op.kind in ("AVERAGE_POOL_2D", "MAX_POOL_2D"):
            return self._window(op, shape, (int(op.options["filter_height"]), int(op.options["filter_width"])), old[3])
        if op.kind in ("PAD", "PADV2"):
            pads = np.frombuffer(self.graph.tensors[op.inputs[1]].data or b"", np.int32).reshape(-1, 2)
            return tuple(int(d + a + b) for d, (a, b) in zip(shape, pads, strict=True))
        if op.kind == "CONCATENATION":
            axis = int(op.options["axis"]) % len(shape)
            total = sum(self.shape(t)[axis] for t in op.inputs)
            return (*shape[:axis], total, *shape[axis + 1 :])
        if op.kind in ("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN"):
            return self._reduced(op, shape)
        if op.kind == "RESHAPE":
            return self._flattened(op, shape, old)
        if op.kind == "FULLY_CONNECTED":
            self._more_weights(op, shape)
            return old
        raise InputError(f"the resolution cannot be changed through {self.graph.label(op)}")

    def _window(self, op: Operator, shape: Shape, kernel: tuple[int, int], channels: int) -> Shape:
        sides = []
        for axis, letter in enumerate("hw"):
            stride = int(op.options.get(f"stride_{letter}", 1))
            reach = (kernel[axis] - 1) * int(op.options.get(f"dilation_{letter}_factor", 1)) + 1
            size = shape[1 + axis]
            same = op.options.get("padding") == "SAME"
            sides.append(-(-size // stride) if same else (size - reach) // stride + 1)
        return (shape[0], *sides, channels)

    def _reduced(self, op: Operator, shape: Shape) -> Shape:
        axes = np.frombuffer(self.graph.tensors[op.inputs[1]].data or b"", np.int32)
        gone = {int(a) % len(shape) for a in axes}
        if op.options.get("keep_dims"):
            return tuple(1 if k in gone else d for k, d in enumerate(shape))
        return tuple(d for k, d in enumerate(shape) if k not in gone)

    def _flattened(self, op: Operator, shape: Shape, old: Shape) -> Shape:
        if len(old) != 2 or prod(old) != old[0] * old[1]:
            raise InputError(f"the resolution cannot be changed through {self.graph.label(op)}")
        made = (old[0], prod(shape) // old[0])
        if len(op.inputs) > 1 and op.inputs[1] != ABSENT:
            constant = self.graph.tensors[op.inputs[1]]
            self.changed[op.inputs[1]] = replace(constant, data=np.array(made, np.int32).tobytes())
        return made

    def _more_weights(self, op: Operator, shape: Shape) -> None:
        weights = self.graph.tensors[op.inputs[1]]
        reads = prod(shape) // self.graph.tensors[op.outputs[0]].shape[0]
        if reads != weights.shape[1]:
            data = np.resize(
                np.frombuffer(weights.data or b"", np.uint8).reshape(weights.shape), (weights.shape[0], reads)
            )
            self.changed[op.inputs[1]] = replace(weights, shape=data.shape, data=data.tobytes())
