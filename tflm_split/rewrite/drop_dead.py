"""Drop operators whose results nobody reads. They would only lengthen the lifetimes of their inputs."""

from __future__ import annotations

from collections.abc import Container

from tflm_split.ir.graph import Graph
from tflm_split.rewrite.constant_values import FOLDABLE
from tflm_split.split.operators import RESHAPES, SPLITTERS

ONLY_COMPUTE = frozenset((*SPLITTERS, *RESHAPES, *FOLDABLE, "SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND"))
"""Kinds of operator without an effect beside their outputs."""


def drop_dead(graph: Graph, kinds: Container[str] = ONLY_COMPUTE) -> Graph:
    """`graph` without those operators of `kinds` that no output of the graph depends on, and nothing that it remembers.

    Operators of `kinds` only compute. Any other operator may have an effect, so it stays, and so does all that it reads.
    """
    wanted = {*graph.outputs, *(state.after for state in graph.states)}
    kept = []
    for op in reversed(graph.operators):
        if op.kind not in kinds or wanted.intersection(op.outputs):
            kept.append(op)
            wanted.update(op.inputs)
    return graph if len(kept) == len(graph.operators) else graph.with_operators(tuple(reversed(kept)))
