"""Which channels of an int8 file are which channels of the Keras model that it was converted from?

The converter folds, renames and reorders, so names say little. Kernels say it: each convolution and fully connected operator
is paired with the layer whose kernel points the same way. From there labels follow the file's operators, and where both
know the labels of a kernel's input they must agree.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from tflm_split.errors import InputError
from tflm_split.ir.graph import ABSENT, Graph, Model, Operator, Quantization, Tensor
from tflm_split.shrink.slicing import kept
from tflm_split.shrink.trace import FIXED, Trace, TracedLayer
from tflm_split.tflite.resize import with_tensors

Labels = tuple[int, ...]

_SAME = frozenset(
    {
        "RELU", "RELU6", "RELU_N1_TO_1", "LOGISTIC", "TANH", "HARD_SWISH", "LEAKY_RELU", "ELU", "GELU", "QUANTIZE",
        "DEQUANTIZE", "ABS", "EXP", "NEG", "SQRT", "RSQRT", "SQUARE", "AVERAGE_POOL_2D", "MAX_POOL_2D",
        "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "PAD", "PADV2", "MIRROR_PAD",
    }
)  # fmt: skip
"""Kinds whose output has the channels of their first input, each computed from the same one."""
_BINARY = frozenset(
    {
        "ADD", "SUB", "MUL", "DIV", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE", "PRELU",
    }
)  # fmt: skip
_WEIGHTED = frozenset({"CONV_2D", "FULLY_CONNECTED"})
_DTYPES = {"INT8": np.int8, "INT16": np.int16, "INT32": np.int32, "INT64": np.int64, "FLOAT32": np.float32}
_SURE = 0.9
"""Kernels of one shape whose directions agree by more than this are the same: quantisation and batch norms change little."""


@dataclass(frozen=True, slots=True)
class FileMap:
    """The labels of each tensor of a file, by axis: (tensor, axis) -> one label per index."""

    model: Model = field(repr=False)
    labels: Mapping[tuple[int, int], Labels]

    def units_of(self, tensor: int) -> frozenset[int]:
        """The units with channels in an activation."""
        axis = len(self.model.graph.tensors[tensor].shape) - 1
        return frozenset(self.labels.get((tensor, axis), ())) - {FIXED}

    def sliced(self, removed: Collection[int]) -> Model:
        """The file without the channels of the `removed` units: weights, scales and shapes cut, ranges as they were."""
        changed = self._changed(removed)
        return with_tensors(self.model, changed) if changed else self.model

    def graph_without(self, removed: Collection[int]) -> Graph:
        """The graph of the file that `sliced` would write."""
        graph, changed = self.model.graph, self._changed(removed)
        return replace(graph, tensors=tuple(changed.get(t.index, t) for t in graph.tensors))

    def _changed(self, removed: Collection[int]) -> dict[int, Tensor]:
        changed: dict[int, Tensor] = {}
        for (number, axis), labels in self.labels.items():
            keep = kept(labels, removed)
            if not keep.all():
                changed[number] = _cut(changed.get(number, self.model.graph.tensors[number]), axis, keep)
        return {**changed, **self._shapes(changed)}

    def _shapes(self, changed: Mapping[int, Tensor]) -> dict[int, Tensor]:
        """The shapes that RESHAPE operators read, as constants."""
        graph = self.model.graph
        shapes: dict[int, Tensor] = {}
        for op in graph.operators:
            if op.kind == "RESHAPE" and len(op.inputs) > 1 and op.outputs[0] in changed and op.inputs[1] != ABSENT:
                constant = graph.tensors[op.inputs[1]]
                data = np.array(changed[op.outputs[0]].shape, np.int32).tobytes()
                if len(data) == len(constant.data or b""):
                    shapes[op.inputs[1]] = replace(constant, data=data)
        return shapes


def _cut(tensor: Tensor, axis: int, keep: npt.NDArray[np.bool_]) -> Tensor:
    shape = list(tensor.shape)
    data = tensor.data
    if data is not None:
        data = np.compress(keep, np.frombuffer(data, _DTYPES[tensor.dtype]).reshape(shape), axis).tobytes()
    shape[axis] = int(keep.sum())
    quantization = tensor.quantization
    if quantization is not None and len(quantization.scales) == len(keep) > 1 and quantization.axis == axis:
        quantization = Quantization(
            tuple(s for s, stays in zip(quantization.scales, keep, strict=True) if stays),
            tuple(z for z, stays in zip(quantization.zero_points, keep, strict=True) if stays),
            axis,
        )
    return replace(tensor, shape=tuple(shape), data=data, quantization=quantization)


def file_map(model: Model, traced: Trace) -> FileMap:
    """The labels of `model`, converted from the traced Keras model with none of its channels removed.

    Raises InputError where the two cannot be brought together.
    """
    if model.subgraph_count > 1:
        raise InputError("the converted model has several subgraphs, and channels are followed through one")
    found = _Labels(model.graph, _pairs(model.graph, traced))
    for tensor, labels in zip(model.graph.inputs, traced.inputs, strict=True):
        found.set(tensor, labels)
    for op in model.graph.operators:
        found.follow(op)
    for t in model.graph.outputs:
        found.need_fixed(t, "the model's output")
    return FileMap(model, found.labels)


def _kernel(layer: TracedLayer) -> tuple[npt.NDArray[np.float32], Labels, Labels] | None:
    """(Kernel [made, weights of each], labels made, labels read) of a layer that the file holds as a weighted operator."""
    for slot in layer.slots:
        if not slot.reads:
            continue
        made = next(s for s in layer.slots if s.attribute == slot.attribute and not s.reads)
        kernel = np.asarray(getattr(layer.layer, slot.attribute), np.float32)
        return np.moveaxis(kernel, -1, 0).reshape(kernel.shape[-1], -1), made.labels, slot.labels
    by_groups = [s for s in layer.slots if s.attribute == "kernel" and s.axis == -1]
    if by_groups and any(key == "groups" for key, _ in layer.sizes):
        kernel = np.asarray(layer.layer.kernel, np.float32)
        return np.moveaxis(kernel, -1, 0).reshape(kernel.shape[-1], -1), by_groups[0].labels, (FIXED,)
    return None


def _pairs(graph: Graph, traced: Trace) -> dict[int, tuple[Labels, Labels]]:
    """Weighted operator -> (labels made, labels read) of its layer."""
    known = [kernel for layer in traced.layers if (kernel := _kernel(layer)) is not None]
    directions = [_directions(values) for values, _, _ in known]
    pairs: dict[int, tuple[Labels, Labels]] = {}
    for op in graph.operators:
        weights = graph.tensors[op.inputs[1]] if op.kind in _WEIGHTED else None
        if weights is None or weights.data is None:
            continue
        mine = _directions(_real(weights).reshape(weights.shape[0], -1))
        agree = [
            float(abs((mine * theirs).sum(1)).mean()) if mine.shape == theirs.shape else -1 for theirs in directions
        ]
        best = int(np.argmax(agree)) if agree else -1
        if best >= 0 and (agree[best] > _SURE or sum(a > -1 for a in agree) == 1):
            pairs[op.index] = known[best][1], known[best][2]
    return pairs


def _directions(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Rows of length 1. Rows of zeros agree with nothing, and so count against no one."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    share = np.sqrt(len(rows) / max(1, int((lengths > 0).sum())))
    result: npt.NDArray[np.float32] = (rows / np.where(lengths > 0, lengths, 1) * share).astype(np.float32)
    return result


def _real(tensor: Tensor) -> npt.NDArray[np.float32]:
    values = np.frombuffer(tensor.data or b"", _DTYPES[tensor.dtype]).reshape(tensor.shape).astype(np.float32)
    q = tensor.quantization
    if q is None or len(q.scales) <= 1:
        return values
    shape = [1] * values.ndim
    shape[q.axis] = len(q.scales)
    return values * np.array(q.scales, np.float32).reshape(shape)


class _Labels:
    """Labels, as they follow the operators of a file."""

    def __init__(self, graph: Graph, pairs: Mapping[int, tuple[Labels, Labels]]) -> None:
        self.graph = graph
        self.pairs = pairs
        self.labels: dict[tuple[int, int], Labels] = {}

    def set(self, tensor: int, labels: Labels, axis: int | None = None) -> None:
        shape = self.graph.tensors[tensor].shape
        axis = len(shape) - 1 if axis is None else axis
        if shape and len(labels) != shape[axis]:
            raise InputError(
                f"tensor {self.graph.tensors[tensor].name!r} of the converted model has {shape[axis]} channels, the layer "
                f"{len(labels)}"
            )
        known = self.labels.get((tensor, axis), labels)
        if known != labels:
            raise InputError(f"tensor {self.graph.tensors[tensor].name!r} of the converted model has two meanings")
        if any(label != FIXED for label in labels):
            self.labels[tensor, axis] = labels

    def of(self, tensor: int) -> Labels:
        shape = self.graph.tensors[tensor].shape
        width = shape[-1] if shape else 1
        return self.labels.get((tensor, len(shape) - 1), (FIXED,) * width)

    def need_fixed(self, tensor: int, where: str) -> None:
        if any(label != FIXED for label in self.of(tensor)):
            raise InputError(f"channels of the converted model cannot be followed through {where}")

    def follow(self, op: Operator) -> None:
        """Give labels to what `op` makes, and to the constants that it reads."""
        made: Labels | None = None
        if op.kind in _WEIGHTED and op.index in self.pairs:
            made = self._weighted(op, *self.pairs[op.index])
        elif op.kind == "DEPTHWISE_CONV_2D":
            made = self._depthwise(op)
        elif op.kind in _SAME:
            made = self.of(op.inputs[0])
        elif op.kind in _BINARY:
            made = self._binary(op)
        elif op.kind in ("RESHAPE", "EXPAND_DIMS", "SQUEEZE"):
            made = self._reshaped(op)
        elif op.kind == "CONCATENATION":
            made = self._concatenated(op)
        elif op.kind in ("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN"):
            made = self._reduced(op)
        if made is not None:
            self.set(op.outputs[0], made)
            return
        for t in op.inputs:
            if t != ABSENT:
                self.need_fixed(t, self.graph.label(op))

    def _weighted(self, op: Operator, made: Labels, read: Labels) -> Labels:
        x, weights = op.inputs[0], op.inputs[1]
        given = self.of(x)
        shape = self.graph.tensors[weights].shape
        if op.kind == "FULLY_CONNECTED" and len(given) != shape[-1]:
            given *= shape[-1] // len(given)
        by_groups = read == (FIXED,)
        if not by_groups and given[: shape[-1]] != read:
            raise InputError(f"{self.graph.label(op)} of the converted model reads other channels than its layer")
        self.set(weights, made, 0)
        if not by_groups:
            self.set(weights, read, len(shape) - 1)
        self._bias(op, made)
        return made

    def _bias(self, op: Operator, made: Labels) -> None:
        if len(op.inputs) > 2 and op.inputs[2] != ABSENT:
            self.set(op.inputs[2], made)

    def _depthwise(self, op: Operator) -> Labels:
        given, weights = self.of(op.inputs[0]), op.inputs[1]
        times = self.graph.tensors[weights].shape[-1] // len(given)
        made = tuple(np.repeat(np.array(given), times).tolist())
        self.set(weights, made)
        self._bias(op, made)
        return made

    def _binary(self, op: Operator) -> Labels:
        width = self.graph.tensors[op.outputs[0]].shape[-1]
        wide = [t for t in op.inputs if (self.graph.tensors[t].shape or (1,))[-1] == width]
        live = [t for t in wide if not self.graph.tensors[t].is_constant]
        made = self.of(live[0]) if live else (FIXED,) * width
        for t in wide:
            if self.graph.tensors[t].is_constant:
                self.set(t, made)
            elif self.of(t) != made:
                raise InputError(f"{self.graph.label(op)} of the converted model joins other channels than its layer")
        for t in op.inputs:
            if t not in wide:
                self.need_fixed(t, self.graph.label(op))
        return made

    def _reshaped(self, op: Operator) -> Labels | None:
        before = self.graph.tensors[op.inputs[0]].shape
        after = self.graph.tensors[op.outputs[0]].shape
        given = self.of(op.inputs[0])
        if not before or not after or all(label == FIXED for label in given):
            return None
        if after[-1] == before[-1]:
            return given
        if after[-1] == prod(before):
            return given * (after[-1] // before[-1])
        return None

    def _concatenated(self, op: Operator) -> Labels | None:
        axis = int(op.options.get("axis", 0))
        rank = len(self.graph.tensors[op.outputs[0]].shape)
        if axis % rank == rank - 1:
            return tuple(label for t in op.inputs for label in self.of(t))
        first = self.of(op.inputs[0])
        return first if all(self.of(t) == first for t in op.inputs) else None

    def _reduced(self, op: Operator) -> Labels | None:
        axes: Any = self.graph.tensors[op.inputs[1]].data
        rank = len(self.graph.tensors[op.inputs[0]].shape)
        reduced = {int(a) % rank for a in np.frombuffer(axes or b"", np.int32)}
        return None if rank - 1 in reduced else self.of(op.inputs[0])
