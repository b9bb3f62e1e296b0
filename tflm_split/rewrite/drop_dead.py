"""Drop operators whose results nobody reads: they would only keep their inputs alive."""

from __future__ import annotations

from collections.abc import Container

from tflm_split.ir.graph import Graph


def drop_dead(graph: Graph, kinds: Container[str]) -> Graph:
    """`graph` without the operators of `kinds` (which do nothing but compute) that no graph output depends on.

    An operator of any other kind may do more than compute, and keeps what it reads.
    """
    wanted = set(graph.outputs)
    kept = []
    for op in reversed(graph.operators):
        if op.kind not in kinds or wanted.intersection(op.outputs):
            kept.append(op)
            wanted.update(op.inputs)
    return graph if len(kept) == len(graph.operators) else graph.with_operators(tuple(reversed(kept)))
