"""Remove tensors, buffers and operator codes that nobody names any more, and renumber the rest."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tflm_split.ir.graph import ABSENT


def drop_unused_tensors(tree: Any) -> dict[int, int]:
    """Remove the main graph's unused tensors from `tree`; return old index -> new index of those that stay.

    A tensor is used when an operator (intermediates included), the graph's interface or one of its signatures names it.
    """
    main = tree.subgraphs[0]
    used: set[int] = set()
    for holder, name in _tensor_vectors(main):
        used.update(_ints(getattr(holder, name)))
    used.update(entry.tensorIndex for entry in _signature_entries(tree))
    used.discard(ABSENT)
    renumbered = {old: new for new, old in enumerate(sorted(used))}
    if len(renumbered) == len(main.tensors or []):
        return renumbered
    main.tensors = [main.tensors[old] for old in renumbered]
    for holder, name in _tensor_vectors(main):
        vector = [ABSENT if t == ABSENT else renumbered[t] for t in _ints(getattr(holder, name))]
        setattr(holder, name, np.array(vector, np.int32))
    for entry in _signature_entries(tree):
        entry.tensorIndex = renumbered[entry.tensorIndex]
    return renumbered


def drop_unused_buffers(tree: Any) -> None:
    """Remove buffers that no tensor and no metadata names. Buffer 0 stays: it means "no data"."""
    holders = [tensor for graph in tree.subgraphs for tensor in graph.tensors or []] + (tree.metadata or [])
    used = {0, *(holder.buffer for holder in holders), *_ints(tree.metadataBuffer)}
    renumbered = {old: new for new, old in enumerate(sorted(used))}
    tree.buffers = [tree.buffers[old] for old in renumbered]
    for holder in holders:
        holder.buffer = renumbered[holder.buffer]
    if tree.metadataBuffer is not None:
        tree.metadataBuffer = np.array([renumbered[b] for b in _ints(tree.metadataBuffer)], np.int32)


def drop_unused_operator_codes(tree: Any) -> None:
    """Remove operator codes that no operator of any subgraph has."""
    operators = [op for graph in tree.subgraphs for op in graph.operators or []]
    renumbered = {old: new for new, old in enumerate(sorted({op.opcodeIndex for op in operators}))}
    tree.operatorCodes = [tree.operatorCodes[old] for old in renumbered]
    for op in operators:
        op.opcodeIndex = renumbered[op.opcodeIndex]


def _tensor_vectors(main: Any) -> list[tuple[Any, str]]:
    """Every place in the subgraph that holds a vector of tensor indices."""
    holders = [(main, "inputs"), (main, "outputs")]
    for op in main.operators or []:
        holders += [(op, "inputs"), (op, "outputs"), (op, "intermediates")]
    return [(holder, name) for holder, name in holders if getattr(holder, name) is not None]


def _signature_entries(tree: Any) -> list[Any]:
    mine = [signature for signature in tree.signatureDefs or [] if signature.subgraphIndex == 0]
    return [entry for signature in mine for entry in (signature.inputs or []) + (signature.outputs or [])]


def _ints(vector: Iterable[Any] | None) -> list[int]:
    return [] if vector is None else [int(i) for i in vector]
