"""Operators that only move elements."""

from __future__ import annotations

import numpy as np

from tflm_split.verify.graph_oracle.evaluation import Array, Evaluate, Evaluation


def _blocks(e: Evaluation) -> Array:
    """SPACE_TO_DEPTH and DEPTH_TO_SPACE: the axes (row, row in block, column, column in block, channel), reordered."""
    x, block = e.int8(0), int(e.option("block_size"))
    batch, height, width, channels = x.shape
    if e.op.kind == "SPACE_TO_DEPTH":
        parts = x.reshape(batch, height // block, block, width // block, block, channels)
    else:
        parts = x.reshape(batch, height, width, block, block, channels // block**2)
    return np.asarray(parts.transpose(0, 1, 3, 2, 4, 5))


def _gather(e: Evaluation) -> Array:
    if e.op.options.get("batch_dims", 0) or e.tensor(0).dtype != "INT8":
        raise e.refuse("geometry", "it gathers by batches, or not int8")
    return np.take(e.value(0), e.value(1), int(e.option("axis")))


def _pack(e: Evaluation) -> Array:
    return np.stack([e.int8(i) for i in range(len(e.op.inputs))], axis=int(e.option("axis")))


def _slice(e: Evaluation) -> Array:
    """SLICE and STRIDED_SLICE, the latter as Python slices mean it."""
    x = e.int8(0)
    begin = [int(b) for b in e.value(1)]
    if e.op.kind == "SLICE":
        return x[tuple(slice(b, b + n) for b, n in zip(begin, e.output.shape, strict=True))]
    if any(e.op.options.get(f"{mask}_mask", 0) for mask in ("ellipsis", "new_axis")):
        raise e.refuse("geometry", "it has a mask this oracle does not know")
    end, strides = ([int(v) for v in e.value(k)] for k in (2, 3))
    masks = [int(e.op.options.get(f"{mask}_mask", 0)) for mask in ("begin", "end", "shrink_axis")]
    cuts: list[slice | int] = []
    for axis, (first, last, stride) in enumerate(zip(begin, end, strides, strict=True)):
        no_begin, no_end, one = (mask >> axis & 1 for mask in masks)
        cuts.append(first if one else slice(None if no_begin else first, None if no_end else last, stride))
    return x[tuple(cuts)]


def _transpose(e: Evaluation) -> Array:
    return np.transpose(e.value(0), e.value(1).tolist())


def _concatenation(e: Evaluation) -> Array:
    if e.op.options.get("fused_activation_function", "NONE") != "NONE":
        raise e.refuse("activation", "it has an activation")
    return np.concatenate([e.int8(i) for i in range(len(e.op.inputs))], axis=int(e.option("axis")))


def _pad(e: Evaluation) -> Array:
    widths = [(int(before), int(after)) for before, after in e.value(1)]
    value = int(e.value(2).reshape(-1)[0]) if e.has(2) else e.zero_point(e.output)
    return np.pad(e.int8(0), widths, constant_values=value)


def _reshape(e: Evaluation) -> Array:
    if e.tensor(0).dtype != e.output.dtype:
        raise e.refuse("dtype", f"it takes {e.tensor(0).dtype} to {e.output.dtype}")
    return e.value(0)


EVALUATE: Evaluate = {
    "SPACE_TO_DEPTH": _blocks,
    "DEPTH_TO_SPACE": _blocks,
    "GATHER": _gather,
    "PACK": _pack,
    "SLICE": _slice,
    "STRIDED_SLICE": _slice,
    "TRANSPOSE": _transpose,
    "CONCATENATION": _concatenation,
    "PAD": _pad,
    "PADV2": _pad,
    "RESHAPE": _reshape,
    "SQUEEZE": _reshape,
    "EXPAND_DIMS": _reshape,
}
