"""Turn a convolution between SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND back into the dilated convolution that it is.

TensorFlow computes a convolution of dilation d on d interleaved parts of the map, one after the other in the batch:

    before   x -> SPACE_TO_BATCH_ND(d, pads) -> CONV_2D -> BATCH_TO_SPACE_ND(d, crops) -> y
    after    x -> PADV2(pads) -> CONV_2D of dilation d -> SLICE(crops) -> y

This is exact: both sum the same products. TFLM's SPACE_TO_BATCH_ND never sets the byte that it pads with, whatever the zero
point. In an arena that starts out as zeros the byte is 0, and so it is here. A convolution that pads the parts by p pads
the map by p * d. Functions of single elements may stand in between, for they do not mind the order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tflm_split.errors import Refusal
from tflm_split.ir.graph import Graph, Operator, Option
from tflm_split.rewrite.patch import Patch, Site
from tflm_split.split.operators import is_reshape
from tflm_split.split.operators.binary import BINARY_KINDS
from tflm_split.split.operators.common import constant
from tflm_split.split.operators.unary import UNARY_KINDS
from tflm_split.split.operators.window import Axis, window_axes

DILATION = "dilation"

_CODES = {"INT8": "i1", "INT16": "<i2", "FLOAT32": "<f4"}
_CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")
Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Blocks:
    """The block size along height and along width, and what is padded or cropped there."""

    size: Pair
    amounts: tuple[Pair, Pair]


def dilation(site: Site) -> Patch | None:
    """The patch at a BATCH_TO_SPACE_ND whose parts were made by a SPACE_TO_BATCH_ND of the same blocks."""
    if site.op.kind != "BATCH_TO_SPACE_ND":
        return None
    chain = _chain(site)
    if chain is None:
        return None
    try:
        return _patch(site, chain)
    except Refusal:
        return None


def _chain(site: Site) -> list[Operator] | None:
    """SPACE_TO_BATCH_ND, .., BATCH_TO_SPACE_ND: each reads what the one before it makes. None when it breaks off."""
    chain = [site.op]
    while chain[0].kind != "SPACE_TO_BATCH_ND":
        tensor = chain[0].inputs[0]
        if chain[0].kind in BINARY_KINDS and site.graph.tensors[tensor].is_constant:
            tensor = chain[0].inputs[1]
        maker = site.maker(tensor)
        if maker is None or not (maker.kind in _MEMBERS or is_reshape(maker)):
            return None
        chain.insert(0, maker)
    return chain


_MEMBERS = frozenset((*_CONVOLUTIONS, *UNARY_KINDS, *BINARY_KINDS, "SPACE_TO_BATCH_ND"))


def _patch(site: Site, chain: Sequence[Operator]) -> Patch | None:
    graph, first, last = site.graph, chain[0], chain[-1]
    source, target = graph.tensors[first.inputs[0]], graph.tensors[last.outputs[0]]
    along_width = _rank_3_lies_along_width(graph, chain)
    before, after = _blocks(graph, first, along_width), _blocks(graph, last, along_width)
    same_quantization = source.quantization == graph.tensors[first.outputs[0]].quantization
    if (
        source.dtype not in _CODES
        or before.size != after.size
        or source.shape[0] != 1
        or target.shape[0] != 1
        or not same_quantization
    ):
        return None
    # The whole chain is made anew. What other readers need of it stays, and dead operators are dropped later.
    patch = Patch(DILATION, graph, (last,), chain[:-1])
    shape: tuple[int, ...] = _as_map(source.shape, along_width)
    tensor = patch.reshape(first.inputs[0], shape)
    if before.amounts != ((0, 0), (0, 0)):
        pads = ((0, 0), *before.amounts, (0, 0))
        shape = (1, *(shape[a] + sum(pads[a]) for a in (1, 2)), shape[3])
        filler = patch.constant(source, np.zeros(1, _CODES[source.dtype]))
        tensor = patch.add("PADV2", (tensor, patch.numbers(pads), filler), patch.tensor(source, shape))
    for op in chain[1:-1]:
        if not is_reshape(op):
            made = _member(patch, op, tensor, before.size)
            if made is None:
                return None
            tensor = made
        elif _as_map(graph.tensors[op.outputs[0]].shape, along_width)[3] != patch.tensors[tensor].shape[3]:
            return None
    if after.amounts != ((0, 0), (0, 0)):
        shape = patch.tensors[tensor].shape
        kept = (1, *(shape[a + 1] - sum(after.amounts[a]) for a in (0, 1)), shape[3])
        begin = (0, after.amounts[0][0], after.amounts[1][0], 0)
        tensor = patch.add(
            "SLICE", (tensor, patch.numbers(begin), patch.numbers(kept)), patch.tensor(patch.tensors[tensor], kept)
        )
    if patch.tensors[tensor].shape != _as_map(target.shape, along_width):
        return None
    patch.reshape(tensor, target.shape, last.outputs[0])
    return patch


def _member(patch: Patch, op: Operator, source: int, block: Pair) -> int | None:
    """Add `op` as it is on the whole map, which `source` is; None when it would not be the same."""
    graph = patch.graph
    channels = graph.tensors[op.outputs[0]].shape[-1]
    height, width, depth = patch.tensors[source].shape[1:]
    if op.kind not in _CONVOLUTIONS:
        at = 1 if op.kind in BINARY_KINDS and graph.tensors[op.inputs[0]].is_constant else 0
        others = [t for k, t in enumerate(op.inputs) if k != at]
        if channels != depth or any(not _per_channel(graph, t, depth) for t in others):
            return None
        inputs = tuple(source if k == at else t for k, t in enumerate(op.inputs))
        return patch.copy(op, inputs, patch.tensor(graph.tensors[op.outputs[0]], (1, height, width, depth)))
    kernel = graph.tensors[op.inputs[1]].shape[1:3]
    parts, made = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
    if len(parts.shape) != 4 or (parts.shape[1] * block[0], parts.shape[2] * block[1]) != (height, width):
        return None
    axes = window_axes(op, parts, made, (kernel[0], kernel[1]), dilated=True)
    if any(axis.stride > 1 and b > 1 for axis, b in zip(axes, block, strict=True)):
        return None
    options: dict[str, Option] = {"padding": "EXPLICIT"}
    sides = ("h", ("top", "bottom")), ("w", ("left", "right"))
    for k, (axis, b, (letter, names)) in enumerate(zip(axes, block, sides, strict=True), start=1):
        pads = axis.pad * b, _pad_after(axis, parts.shape[k], made.shape[k]) * b
        options |= {f"dilation_{letter}_factor": axis.dilation * b}
        options |= dict(zip((f"pad_{name}" for name in names), pads, strict=True))
    if not any(value for name, value in options.items() if name.startswith("pad_")):
        options = {name: value for name, value in options.items() if name.startswith("dilation_")} | {
            "padding": "VALID"
        }
    shape = (1, made.shape[1] * block[0], made.shape[2] * block[1], channels)
    return patch.copy(op, (source, *op.inputs[1:]), patch.tensor(made, shape), options)


def _pad_after(axis: Axis, inputs: int, outputs: int) -> int:
    reach = (outputs - 1) * axis.stride + (axis.kernel - 1) * axis.dilation + 1
    return max(reach - inputs - axis.pad, 0)


def _per_channel(graph: Graph, tensor: int, channels: int) -> bool:
    """Whether a tensor is a constant that is the same for each pixel."""
    value = graph.tensors[tensor]
    return value.is_constant and value.elements in (1, channels) and (value.shape or (1,))[-1] == value.elements


def _blocks(graph: Graph, op: Operator, along_width: bool) -> _Blocks:
    """The blocks of a SPACE_TO_BATCH_ND or BATCH_TO_SPACE_ND. Raises Refusal when they are not constant."""
    size, amounts = (_numbers(graph, op, k) for k in (1, 2))
    pairs = [(amounts[2 * k], amounts[2 * k + 1]) for k in range(len(size))]
    if len(size) == 1 and along_width:
        return _Blocks((1, size[0]), ((0, 0), pairs[0]))
    if len(size) == 1:
        return _Blocks((size[0], 1), (pairs[0], (0, 0)))
    if len(size) != 2:
        raise Refusal("geometry", f"its blocks have {len(size)} axes")
    return _Blocks((size[0], size[1]), (pairs[0], pairs[1]))


def _numbers(graph: Graph, op: Operator, position: int) -> list[int]:
    return [int(n) for n in np.frombuffer(constant(graph, op, position, "INT32").data or b"", "<i4")]


def _rank_3_lies_along_width(graph: Graph, chain: Sequence[Operator]) -> bool:
    """Where the maps in between have a height of 1: along which axis of theirs does the only axis of rank 3 lie?"""
    maps = [graph.tensors[op.outputs[0]].shape for op in chain[:-1] if len(graph.tensors[op.outputs[0]].shape) == 4]
    return all(shape[1] == 1 for shape in maps)


def _as_map(shape: Sequence[int], along_width: bool) -> tuple[int, int, int, int]:
    """The four axes of a tensor of rank 3 or 4. Raises Refusal for any other rank."""
    if len(shape) == 4:
        return shape[0], shape[1], shape[2], shape[3]
    if len(shape) != 3:
        raise Refusal("rank", f"it has {len(shape)} axes")
    return (shape[0], 1, shape[1], shape[2]) if along_width else (shape[0], shape[1], 1, shape[2])
