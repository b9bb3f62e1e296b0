"""Turn a chain of RESHAPE and TRANSPOSE into the one operator that moves the same elements.

Frameworks write channel shuffles and pixel shuffles as transpositions of five or six axes:

    [1, H, W, 16] -> RESHAPE [1, H, W, 2, 8] -> TRANSPOSE [1, H, W, 8, 2] -> RESHAPE [1, H, W, 16]

This one only moves channels within a pixel, so each row stays by itself. Which element goes where is computed for all
elements; then the simplest operator that does the same takes the chain's place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise, permutations

import numpy as np

from tflm_split.errors import Refusal
from tflm_split.ir.graph import Graph, Operator, Option, Tensor
from tflm_split.rewrite.patch import Patch, Site
from tflm_split.split.operators import is_reshape
from tflm_split.split.operators.picked import PICK, Index, element_numbers, row_and_column_map
from tflm_split.split.rows import MAX_CUT_BYTES, row_shape

MOVED_ELEMENTS = "moved_elements"
MAX_JOINED = 8
"""Rows that are made of more input rows stay what they are."""
MAX_CHAIN = 8
"""Longer chains are looked at in parts."""


def moved_elements(site: Site) -> Patch | None:
    """The patch for the longest chain that ends at `site` and can be one simpler operator."""
    chain = chain_of_moves(site)
    for first in range(len(chain)):
        part = chain[first:]
        if not any(op.kind == "TRANSPOSE" for op in part) or ends_early(site, part):
            continue
        index = index_of_moves(site.graph, part)
        if index is None:
            continue
        patch = _one_operator(site.graph, part, index)
        if patch is not None:
            return patch
    return None


def permutation(graph: Graph, op: Operator) -> tuple[int, ...] | None:
    """The permutation of a TRANSPOSE, counted from the front; None when it is not a constant that fits."""
    numbers = graph.tensors[op.inputs[1]]
    rank = len(graph.tensors[op.inputs[0]].shape)
    if numbers.data is None or numbers.dtype != "INT32":
        return None
    given = [int(a) for a in np.frombuffer(numbers.data, "<i4")]
    order = tuple(a + rank if a < 0 else a for a in given)
    return order if sorted(order) == list(range(rank)) else None


def transposed_index(shape: Sequence[int], order: Sequence[int]) -> Index:
    """By element of a transposed tensor, in its shape: the element of the tensor of `shape` that it is."""
    index: Index = element_numbers(tuple(shape)).transpose(order)
    return index


def chain_of_moves(site: Site) -> list[Operator]:
    """The operators that end at `site`, each the only reader of the one before it."""
    if not _moves(site.op):
        return []
    chain = [site.op]
    while len(chain) < MAX_CHAIN:
        maker = site.maker(chain[0].inputs[0])
        if maker is None or not _moves(maker) or site.only_reader(maker.outputs[0]) is None:
            break
        chain.insert(0, maker)
    return chain


def _moves(op: Operator) -> bool:
    return op.kind == "TRANSPOSE" or (is_reshape(op) and len(op.inputs) > 0)


def ends_early(site: Site, part: Sequence[Operator]) -> bool:
    """Whether the operator behind the chain belongs to it, too: then it is looked at from there."""
    reader = site.only_reader(part[-1].outputs[0])
    return reader is not None and is_reshape(reader)


def index_of_moves(graph: Graph, chain: Sequence[Operator]) -> Index | None:
    """By element of the chain's output: which element of its input it is; None when that is not known."""
    source, target = graph.tensors[chain[0].inputs[0]], graph.tensors[chain[-1].outputs[0]]
    if source.is_constant or source.is_variable or source.bytes > MAX_CUT_BYTES:
        return None
    if any(graph.tensors[op.outputs[0]].dtype != source.dtype for op in chain):
        return None
    index = element_numbers(source.shape)
    for op in chain:
        made = graph.tensors[op.outputs[0]]
        if op.kind == "TRANSPOSE":
            order = permutation(graph, op)
            if order is None or len(order) != index.ndim:
                return None
            index = index.transpose(order)
            if index.shape != made.shape:
                return None
        elif made.elements != index.size:
            return None
        index = index.reshape(made.shape)
    return index.reshape(target.shape)


def _one_operator(graph: Graph, chain: Sequence[Operator], index: Index) -> Patch | None:
    """The simplest operator for `index`: a RESHAPE, a block operator, one TRANSPOSE, or a PICK."""
    source, target = graph.tensors[chain[0].inputs[0]], graph.tensors[chain[-1].outputs[0]]
    patch = Patch(MOVED_ELEMENTS, graph, chain)
    if np.array_equal(index.reshape(-1), np.arange(index.size)):
        patch.reshape(source.index, target.shape, target.index)
        return patch
    if len(chain) == 1 or not 0 < len(source.shape) <= 4 or not 0 < len(target.shape) <= 4:
        return None
    for kind, block in _blocks(source, target, index):
        patch.add(kind, (source.index,), target.index, {"block_size": block})
        return patch
    if sum(op.kind == "TRANSPOSE" for op in chain) > 1:
        for order in permutations(range(len(source.shape))):
            if np.array_equal(transposed_index(source.shape, order), index):
                patch.add("TRANSPOSE", (source.index, patch.numbers(order)), target.index)
                return patch
    try:
        whole, part = row_shape(source), row_shape(target)
    except Refusal:
        return None
    if row_and_column_map(index.reshape(-1), whole.columns * whole.channels, part.rows) is None:
        # A TRANSPOSE of four axes has rows of its own; one of more has none.
        torn = any(len(graph.tensors[op.outputs[0]].shape) > 4 for op in chain)
        return patch if torn and _joined_picks(patch, source, target, index) else None
    patch.add(PICK, (source.index, patch.numbers(index.reshape(-1))), target.index)
    return patch


def _joined_picks(patch: Patch, source: Tensor, target: Tensor, index: Index) -> bool:
    """Adds PICKs of some channels of each pixel, and their CONCATENATION, where each is made of one input row; or False."""
    whole, part = row_shape(source), row_shape(target)
    row_elements = whole.columns * whole.channels
    made_of = index.reshape(part.rows, -1, target.shape[-1]) // row_elements
    if (made_of != made_of[:, :1]).any():
        return False
    new = (made_of[:, 0, 1:] != made_of[:, 0, :-1]).any(axis=0)
    ends = [0, *(np.flatnonzero(new) + 1).tolist(), target.shape[-1]]
    if not 2 <= len(ends) - 1 <= MAX_JOINED:
        return False
    parts = [index[..., first:stop] for first, stop in pairwise(ends)]
    if any(row_and_column_map(p.reshape(-1), row_elements, part.rows) is None for p in parts):
        return False
    made = [patch.add(PICK, (source.index, patch.numbers(p.reshape(-1))), patch.tensor(target, p.shape)) for p in parts]
    options: dict[str, Option] = {"axis": len(target.shape) - 1, "fused_activation_function": "NONE"}
    patch.add("CONCATENATION", tuple(made), target.index, options)
    return True


def _blocks(source: Tensor, target: Tensor, index: Index) -> Iterator[tuple[str, int]]:
    """(DEPTH_TO_SPACE or SPACE_TO_DEPTH, block) that moves elements as `index` says."""
    if len(source.shape) != 4 or len(target.shape) != 4 or source.dtype != "INT8":
        return
    for kind, deep, wide in (("DEPTH_TO_SPACE", source, target), ("SPACE_TO_DEPTH", target, source)):
        block = wide.shape[1] // deep.shape[1]
        n, height, width, channels = deep.shape
        if block < 2 or wide.shape != (n, height * block, width * block, channels // block**2):
            continue
        if channels % block**2:
            continue
        parted = (n, height, width, block, block, wide.shape[3])
        order = (0, 1, 3, 2, 4, 5)
        if kind == "DEPTH_TO_SPACE":
            same = element_numbers(parted).transpose(order).reshape(wide.shape)
        else:
            same = element_numbers((n, height, block, width, block, wide.shape[3])).transpose(order).reshape(deep.shape)
        if np.array_equal(same, index):
            yield kind, block
