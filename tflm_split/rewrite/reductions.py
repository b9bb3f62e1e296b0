"""Write a reduction over unusual axes as one that can be cut into rows: over other axes of a reshaped tensor, or as a pool.

    MEAN of [1, H, W, C] over W and C       =  MEAN of [1, H, 1, W * C] over the channels
    REDUCE_MAX of [1, H, W, C] over C       =  MAX_POOL_2D of [1, H, W * C, 1], windows of C, stride C
    REDUCE_MIN of x                         =  -1 - REDUCE_MAX of -1 - x                               (int8)

These are exact. Sums of integers are rounded once, at the end, so a MEAN or SUM is never done in two parts.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tflm_split.errors import Refusal
from tflm_split.ir.graph import Graph, Operator, Option, Tensor
from tflm_split.rewrite.patch import Patch, Site
from tflm_split.split.operators import split_operator
from tflm_split.split.operators.byte_function import BYTE_FUNCTION

REDUCTIONS = "reductions"

SMALL = 16
"""A tensor so many times smaller than the largest one is never what the head is made of, and reshapes around its reduction
may cost memory. Such a reduction stays as it is."""
_COMPLEMENT = {"table": bytes((-1 - byte) & 0xFF for byte in range(256)).hex()}
"""x -> -1 - x, by the byte of x."""


def reductions(site: Site) -> Patch | None:
    """The patch at a MEAN, SUM, REDUCE_MAX or REDUCE_MIN of int8 that cannot be cut as it is."""
    graph, op = site.graph, site.op
    if op.kind not in ("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN") or _splits(graph, op):
        return None
    source, target = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
    axes = _axes(graph, op, len(source.shape))
    if axes is None or source.dtype != "INT8" or source.is_constant or target.dtype != "INT8" or source.elements < 2:
        return None
    shape = _as_map(source.shape)
    if shape is None or SMALL * source.bytes < max(t.bytes for t in graph.tensors if not t.is_constant):
        return None
    reduced = {shape[1][a] for a in axes if source.shape[a] > 1}
    patch = Patch(REDUCTIONS, graph, (op,))
    if op.kind in ("MEAN", "SUM"):
        return _sum(patch, op, source, target, shape[0], reduced)
    return _largest(patch, op, source, target, shape[0], reduced)


def _splits(graph: Graph, op: Operator) -> bool:
    try:
        split_operator(graph, op)
    except Refusal:
        return False
    return True


def _axes(graph: Graph, op: Operator, rank: int) -> set[int] | None:
    numbers = graph.tensors[op.inputs[1]]
    if numbers.data is None or numbers.dtype != "INT32":
        return None
    given = np.frombuffer(numbers.data, "<i4").tolist()
    return {int(a) % rank for a in given} if all(-rank <= a < rank for a in given) else None


def _as_map(shape: Sequence[int]) -> tuple[tuple[int, int, int, int], dict[int, int]] | None:
    """([1, H, W, C] of a tensor of rank up to 4, which axis each of its axes is). Rows always lie along H."""
    if len(shape) == 4 and shape[0] == shape[1] == 1:
        return (1, shape[2], 1, shape[3]), {0: 0, 1: 2, 2: 1, 3: 3}
    if len(shape) == 4 and shape[0] == 1:
        return (1, shape[1], shape[2], shape[3]), {a: a for a in range(4)}
    if len(shape) == 3 and shape[0] == 1:
        return (1, shape[1], 1, shape[2]), {0: 0, 1: 1, 2: 3}
    return ((1, shape[0], 1, shape[1]), {0: 1, 1: 3}) if len(shape) == 2 else None


def _sum(
    patch: Patch, op: Operator, source: Tensor, target: Tensor, shape: tuple[int, int, int, int], reduced: set[int]
) -> Patch | None:
    _, height, width, channels = shape
    axes: tuple[int, ...]
    if reduced == {a for a in (1, 2, 3) if shape[a] > 1}:
        seen, axes = (1, height, width * channels, 1), (1, 2)
    elif reduced == {a for a in (2, 3) if shape[a] > 1}:
        seen, axes = (1, height, 1, width * channels), (3,)
    elif reduced == {1}:
        seen, axes = (1, height, 1, width * channels), (1, 2)
    else:
        return None
    left = tuple(1 if a in axes else size for a, size in enumerate(seen))
    _reduced(patch, op, patch.reshape(source.index, seen), axes, target, left)
    return patch


def _reduced(
    patch: Patch, op: Operator, source: int, axes: Sequence[int], target: Tensor, shape: tuple[int, ...]
) -> None:
    """Add the reduction over `axes`, keeping these, and the RESHAPE to the output's own shape."""
    made = patch.tensor(target, shape)
    patch.copy(op, (source, patch.numbers(axes)), made, {"keep_dims": True})
    patch.reshape(made, target.shape, target.index)


def _largest(
    patch: Patch, op: Operator, source: Tensor, target: Tensor, shape: tuple[int, int, int, int], reduced: set[int]
) -> Patch | None:
    """REDUCE_MAX: first within each row, as a pool, then over the rows. REDUCE_MIN: the same of the complement."""
    if source.quantization != target.quantization:  # TFLM refuses it
        return None
    _, height, width, channels = shape
    tensor = patch.reshape(source.index, shape)
    if op.kind == "REDUCE_MIN":
        tensor = patch.add(BYTE_FUNCTION, (tensor,), patch.tensor(source, shape), _COMPLEMENT)
    if reduced & {2, 3}:
        window, seen, made = _row_window(reduced, height, width, channels)
        pool = _pool(window)
        tensor = patch.add("MAX_POOL_2D", (patch.reshape(tensor, seen),), patch.tensor(source, made), pool)
    if 1 in reduced and height > 1:
        row = patch.tensors[tensor].elements // height
        inputs = (patch.reshape(tensor, (1, height, 1, row)), patch.numbers((1, 2)))
        tensor = patch.add("REDUCE_MAX", inputs, patch.tensor(source, (1, 1, 1, row)), {"keep_dims": True})
    if op.kind == "REDUCE_MIN":
        tensor = patch.add(BYTE_FUNCTION, (tensor,), patch.tensor(source, patch.tensors[tensor].shape), _COMPLEMENT)
    if patch.tensors[tensor].elements != target.elements:
        return None
    patch.reshape(tensor, target.shape, target.index)
    return patch


def _row_window(
    reduced: set[int], height: int, width: int, channels: int
) -> tuple[int, tuple[int, int, int, int], tuple[int, int, int, int]]:
    """(elements per window, the tensor as the pool sees it, the pool's output) for a reduction within rows."""
    if reduced >= {2, 3} or channels == 1 or (3 in reduced and width == 1):
        return width * channels, (1, height, width * channels, 1), (1, height, 1, 1)
    if 3 in reduced:
        return channels, (1, height, width * channels, 1), (1, height, width, 1)
    return width, (1, height, width, channels), (1, height, 1, channels)


def _pool(window: int) -> dict[str, Option]:
    """The options of a MAX_POOL_2D whose windows lie side by side along the width."""
    return {
        "padding": "VALID",
        "filter_height": 1,
        "filter_width": window,
        "stride_h": 1,
        "stride_w": window,
        "fused_activation_function": "NONE",
    }
