"""Interleave the channels of maps that are joined along a fifth axis: as a joint along channels, and a pick within each pixel.

Mobile transformers write the channels of two maps one after the other in turn:

    x, y [1, H, W, C] -> RESHAPE [1, 1, H, W, C] -> CONCATENATION [1, 2, H, W, C] -> TRANSPOSE, RESHAPE .. -> [1, H, W, 2 * C]

Which element goes where is computed for all elements, as in `moved_elements.py`. Where every row of the result is made of one row
of the maps, these are joined along channels instead, and a PICK moves the channels within their pixel. This is exact.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tflm_split.errors import Refusal
from tflm_split.ir.graph import Operator, Option, Tensor
from tflm_split.rewrite.moved_elements import chain_of_moves, ends_early, index_of_moves
from tflm_split.rewrite.patch import Patch, Site
from tflm_split.split.operators.picked import PICK, Index, element_numbers, row_and_column_map
from tflm_split.split.rows import MAX_CUT_BYTES, row_shape

MOVED_JOINT = "moved_joint"


def moved_joint(site: Site) -> Patch | None:
    """The patch at the end of a chain of RESHAPE and TRANSPOSE whose first operator alone reads a CONCATENATION or PACK."""
    graph, chain = site.graph, chain_of_moves(site)
    if not chain or ends_early(site, chain):
        return None
    joint = site.maker(chain[0].inputs[0])
    if joint is None or joint.kind not in ("CONCATENATION", "PACK") or site.only_reader(joint.outputs[0]) is None:
        return None
    if len(graph.tensors[joint.outputs[0]].shape) <= 4 and not any(op.kind == "TRANSPOSE" for op in chain):
        return None
    if joint.options.get("fused_activation_function", "NONE") != "NONE":
        return None
    index, target = index_of_moves(graph, chain), graph.tensors[chain[-1].outputs[0]]
    maps = [graph.tensors[site.made_as(t)] for t in joint.inputs]
    numbers = _numbers(site, joint, maps)
    if index is None or numbers is None or target.bytes > MAX_CUT_BYTES or len(target.shape) != 4:
        return None
    moved = numbers[index.reshape(-1)]
    whole = (*maps[0].shape[:3], sum(m.shape[3] for m in maps))
    patch = Patch(MOVED_JOINT, graph, (joint, *chain))
    joined = patch.tensor(target, whole)
    try:
        read, written = row_shape(patch.tensors[joined]), row_shape(target)
    except Refusal:
        return None
    if row_and_column_map(moved, read.columns * read.channels, written.rows) is None:
        return None
    options: dict[str, Option] = {"axis": 3, "fused_activation_function": "NONE"}
    patch.add("CONCATENATION", [m.index for m in maps], joined, options)
    if np.array_equal(moved, np.arange(moved.size)):
        patch.reshape(joined, target.shape, target.index)
    else:
        patch.add(PICK, (joined, patch.numbers(moved)), target.index)
    return patch


def _numbers(site: Site, joint: Operator, maps: Sequence[Tensor]) -> Index | None:
    """By element of the joint: which element of the maps joined along channels it is. None where they cannot be."""
    tensors, axis = site.graph.tensors, joint.options.get("axis")
    target = tensors[joint.outputs[0]]
    alike = {(m.dtype, len(m.shape), m.shape[:3]) for m in maps}
    if len(alike) != 1 or len(maps[0].shape) != 4 or maps[0].is_constant or not isinstance(axis, int):
        return None
    if not -len(target.shape) <= axis < len(target.shape) or target.dtype != maps[0].dtype:
        return None
    channels = [m.shape[3] for m in maps]
    joined = element_numbers((*maps[0].shape[:3], sum(channels)))
    parts = np.split(joined, np.cumsum(channels)[:-1].tolist(), axis=3)
    shaped = [part.reshape(tensors[t].shape) for part, t in zip(parts, joint.inputs, strict=True)]
    if joint.kind == "PACK":
        shaped = [np.expand_dims(part, axis) for part in shaped]
    if any(len(part.shape) != len(target.shape) for part in shaped):
        return None
    whole: Index = np.concatenate(shaped, axis)
    return whole.reshape(-1) if whole.shape == target.shape else None
