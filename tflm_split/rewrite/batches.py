"""Write operators on several samples at once as operators on one sample.

Where each pixel is computed by itself, the samples are one tall map. Other operators are done for one sample after the other:

    [2, H, W, C]  =  [1, 2 * H, W, C]     rows 0 to H - 1 are sample 0, the others are sample 1
                      `- SLICE -> CONV_2D -'
                         SLICE -> CONV_2D --- CONCATENATION -> [1, 2 * H', W', C']

This is exact. Slices and joints are windows onto the same bytes; copies of an operator share its weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from tflm_split.ir.graph import Graph, Operator, Option
from tflm_split.rewrite.patch import Patch, Site
from tflm_split.split.operators import is_reshape
from tflm_split.split.operators.binary import BINARY_KINDS
from tflm_split.split.operators.unary import UNARY_KINDS

BATCHES = "batches"
MAX_BATCH = 16
"""The most samples: each gets operators of its own."""

_PER_PIXEL = frozenset((*UNARY_KINDS, *BINARY_KINDS, "SOFTMAX"))
_PER_SAMPLE = frozenset(
    {
        "CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "AVERAGE_POOL_2D", "MAX_POOL_2D", "PAD", "PADV2", "MIRROR_PAD",
        "RESIZE_NEAREST_NEIGHBOR", "RESIZE_BILINEAR", "MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "SPACE_TO_DEPTH",
        "DEPTH_TO_SPACE", "TRANSPOSE",
    }
)  # fmt: skip
_JOINED: dict[str, Option] = {"fused_activation_function": "NONE"}


def batches(site: Site) -> Patch | None:
    """The patch at an operator on a map of several samples."""
    graph, op = site.graph, site.op
    if op.kind in _PER_PIXEL or _is_pointwise(graph, op) or _joins_channels(graph, op):
        return _as_one_map(graph, op)
    return _one_by_one(graph, op) if op.kind in _PER_SAMPLE else None


def joined_slices(site: Site) -> Patch | None:
    """The patch at a SLICE that takes exactly one operand of a CONCATENATION: it is that operand."""
    graph, op = site.graph, site.op
    if op.kind != "SLICE":
        return None
    maker, begin = site.maker(op.inputs[0]), graph.tensors[op.inputs[1]]
    while maker is not None and is_reshape(maker):
        maker = site.maker(maker.inputs[0])
    if maker is None or maker.kind != "CONCATENATION" or maker.rewrite != BATCHES or begin.data is None:
        return None
    whole, target = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
    first = int(np.dot(np.frombuffer(begin.data, "<i4"), [prod(whole.shape[a + 1 :]) for a in range(len(whole.shape))]))
    for part in maker.inputs:
        if first == 0 and graph.tensors[part].elements == target.elements:
            patch = Patch(BATCHES, graph, (op,), (maker,))
            patch.reshape(part, target.shape, target.index)
            return patch
        first -= graph.tensors[part].elements
    return None


def _batch(shape: Sequence[int]) -> int:
    """Samples of a map; 1 for a tensor of another rank."""
    return shape[0] if len(shape) == 4 else 1


def _is_pointwise(graph: Graph, op: Operator) -> bool:
    """Whether a CONV_2D reads one pixel for each of its own."""
    strides = [op.options.get(f"stride_{side}") for side in "hw"]
    return op.kind == "CONV_2D" and graph.tensors[op.inputs[1]].shape[1:3] == (1, 1) and strides == [1, 1]


def _joins_channels(graph: Graph, op: Operator) -> bool:
    return op.kind == "CONCATENATION" and op.options.get("axis") in (-1, len(graph.tensors[op.outputs[0]].shape) - 1)


def _as_one_map(graph: Graph, op: Operator) -> Patch | None:
    """The samples below each other. An operand that is the same for all pixels stays as it is."""
    target = graph.tensors[op.outputs[0]]
    if _batch(target.shape) == 1 or len(op.outputs) != 1:
        return None
    patch = Patch(BATCHES, graph, (op,))
    inputs = []
    for k, t in enumerate(op.inputs):
        value = graph.tensors[t] if t >= 0 else None
        if value is not None and value.shape[:3] == target.shape[:3] and not value.is_constant:
            inputs.append(patch.reshape(t, _tall(value.shape)))
        elif value is None or (value.is_constant and (k > 0 or len(op.inputs) == 2) and _same_for_all(value.shape, op)):
            inputs.append(t)
        else:
            return None
    made = patch.copy(op, inputs, patch.tensor(target, _tall(target.shape)))
    patch.reshape(made, target.shape, target.index)
    return patch


def _same_for_all(shape: Sequence[int], op: Operator) -> bool:
    return op.kind == "CONV_2D" or prod(shape[:-1]) == 1


def _tall(shape: Sequence[int]) -> tuple[int, ...]:
    """The samples of a map below each other, or behind each other in maps of height 1."""
    n, height, width, channels = shape
    return (1, n * height, width, channels) if height > 1 else (1, 1, n * width, channels)


def _one_by_one(graph: Graph, op: Operator) -> Patch | None:
    at = 2 if op.kind == "TRANSPOSE_CONV" else 0
    source, target = graph.tensors[op.inputs[at]], graph.tensors[op.outputs[0]]
    count = _batch(source.shape)
    if (
        not 1 < count <= MAX_BATCH
        or target.shape[:1] != (count,)
        or source.is_constant
        or not _keeps_samples(graph, op)
    ):
        return None
    patch = Patch(BATCHES, graph, (op,))
    tall = _tall(source.shape)
    axis = 1 if source.shape[1] > 1 else 2
    seen = patch.reshape(source.index, tall)
    sample = (1, *source.shape[1:])
    made, joined = (1, *target.shape[1:]), _rows_of(target.shape[1:])
    parts = []
    for k in range(count):
        begin = tuple(k * source.shape[axis] if a == axis else 0 for a in range(4))
        part = patch.add("SLICE", (seen, patch.numbers(begin), patch.numbers(sample)), patch.tensor(source, sample))
        inputs = [part if k == at else t for k, t in enumerate(op.inputs)]
        if op.kind == "TRANSPOSE_CONV":
            inputs[0] = patch.numbers(made)
        parts.append(patch.reshape(patch.copy(op, inputs, patch.tensor(target, made)), joined))
    along = 1 if joined[1] > 1 or joined[2] == 1 else 2
    whole = tuple(size * count if a == along else size for a, size in enumerate(joined))
    together = patch.add("CONCATENATION", parts, patch.tensor(target, whole), {**_JOINED, "axis": along})
    patch.reshape(together, target.shape, target.index)
    return patch


def _rows_of(shape: Sequence[int]) -> tuple[int, int, int, int]:
    """One sample's result as a map."""
    if len(shape) == 3:
        return 1, shape[0], shape[1], shape[2]
    return 1, prod(shape[:-1]), 1, shape[-1] if shape else 1


def _keeps_samples(graph: Graph, op: Operator) -> bool:
    """Whether sample k of the output is made of sample k of the input only."""
    if op.kind not in ("PAD", "PADV2", "MIRROR_PAD", "TRANSPOSE", "MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN"):
        return True
    numbers = graph.tensors[op.inputs[1]]
    if numbers.data is None or numbers.dtype != "INT32":
        return False
    values = np.frombuffer(numbers.data, "<i4").tolist()
    if op.kind == "TRANSPOSE":
        return bool(values[0] == 0)
    rank = len(graph.tensors[op.inputs[0]].shape)
    return values[:2] == [0, 0] if "PAD" in op.kind else all(a % rank for a in values)
