"""Operators that only move elements, of any type."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tflm_split.verify.graph_oracle.evaluation import Array, Evaluate, Evaluation


def _blocks(e: Evaluation) -> Array:
    """SPACE_TO_DEPTH and DEPTH_TO_SPACE: the axes (row, row in block, column, column in block, channel), reordered."""
    x, block = e.moved(0), int(e.option("block_size"))
    batch, height, width, channels = x.shape
    if e.op.kind == "SPACE_TO_DEPTH":
        parts = x.reshape(batch, height // block, block, width // block, block, channels)
    else:
        parts = x.reshape(batch, height, width, block, block, channels // block**2)
    return np.asarray(parts.transpose(0, 1, 3, 2, 4, 5))


def _gather(e: Evaluation) -> Array:
    if e.op.options.get("batch_dims", 0):
        raise e.refuse("geometry", "it gathers by batches")
    table, axis, indices = e.moved(0), int(e.option("axis")), e.value(1)
    if indices.size and not 0 <= int(indices.min()) <= int(indices.max()) < table.shape[axis]:
        raise e.refuse("geometry", "it gathers what its table does not hold")
    return np.take(table, indices, axis)


def _pack(e: Evaluation) -> Array:
    return np.stack([e.moved(i) for i in range(len(e.op.inputs))], axis=int(e.option("axis")))


def _unpack(e: Evaluation) -> Sequence[Array]:
    x, axis = e.moved(0), int(e.option("axis"))
    return [np.take(x, i, axis) for i in range(x.shape[axis])]


def _split(e: Evaluation) -> Sequence[Array]:
    axis = int(e.value(0).reshape(-1)[0])
    return np.split(e.moved(1), len(e.op.outputs), axis)


def _split_v(e: Evaluation) -> Sequence[Array]:
    axis = int(e.value(2).reshape(-1)[0])
    lengths = [e.graph.tensors[t].shape[axis] for t in e.op.outputs]
    return np.split(e.moved(0), np.cumsum(lengths)[:-1].tolist(), axis)


def _slice(e: Evaluation) -> Array:
    """SLICE and STRIDED_SLICE, the latter as Python slices mean it."""
    x = e.moved(0)
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
    return np.asarray(x[tuple(cuts)])


def _transpose(e: Evaluation) -> Array:
    return np.transpose(e.moved(0), e.value(1).tolist())


def _concatenation(e: Evaluation) -> Array:
    if e.op.options.get("fused_activation_function", "NONE") != "NONE":
        raise e.refuse("activation", "it has an activation")
    return np.concatenate([e.moved(i) for i in range(len(e.op.inputs))], axis=int(e.option("axis")))


def _pad(e: Evaluation) -> Array:
    widths = [(int(before), int(after)) for before, after in e.value(1)]
    x = e.moved(0)
    if e.has(2):
        value = e.value(2).reshape(-1)[0]
    else:
        value = x.dtype.type(0 if e.output.quantization is None else e.zero_point(e.output))
    return np.pad(x, widths, constant_values=value)


def _mirror_pad(e: Evaluation) -> Array:
    """REFLECT leaves the border elements out of the mirror image, SYMMETRIC repeats them."""
    widths = [(int(before), int(after)) for before, after in e.value(1)]
    if e.op.options.get("mode") == "REFLECT":
        return np.pad(e.moved(0), widths, mode="reflect")
    return np.pad(e.moved(0), widths, mode="symmetric")


def _reshape(e: Evaluation) -> Array:
    return e.moved(0)


EVALUATE: Evaluate = {
    "SPACE_TO_DEPTH": _blocks,
    "DEPTH_TO_SPACE": _blocks,
    "GATHER": _gather,
    "PACK": _pack,
    "UNPACK": _unpack,
    "SPLIT": _split,
    "SPLIT_V": _split_v,
    "SLICE": _slice,
    "STRIDED_SLICE": _slice,
    "TRANSPOSE": _transpose,
    "CONCATENATION": _concatenation,
    "PAD": _pad,
    "PADV2": _pad,
    "MIRROR_PAD": _mirror_pad,
    "RESHAPE": _reshape,
    "SQUEEZE": _reshape,
    "EXPAND_DIMS": _reshape,
}
