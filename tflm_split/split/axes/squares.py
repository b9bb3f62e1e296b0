"""Which tensors grow with the square of an axis?

Those with two axes that both go back to the same axis of some tensor. The scores of attention are an example: they have a
row per query and a column per key, and both follow the tokens.
"""

from __future__ import annotations

from tflm_split.ir.graph import ABSENT, Graph
from tflm_split.split.axes.table import loops_of

Origins = frozenset[tuple[int, int]]
"""(tensor, axis) pairs that an axis goes back to, and that follow no other axis themselves."""


def squares(graph: Graph) -> frozenset[int]:
    """Tensors with two axes, of more than one index each, that have an origin in common."""
    origins: dict[tuple[int, int], Origins] = {}

    def of(tensor: int, axis: int) -> Origins:
        return origins.get((tensor, axis), frozenset({(tensor, axis)}))

    square = set()
    for op in graph.operators:
        for k, t in enumerate(op.outputs):
            loops, shape = loops_of(graph, op, k), graph.tensors[t].shape
            seen: set[tuple[int, int]] = set()
            for axis, size in enumerate(shape):
                pairs = ((s, loops.follower(p, axis)) for p, s in enumerate(op.inputs) if s != ABSENT)
                followed = [of(s, a) for s, a in pairs if a is not None]
                if followed and size > 1:
                    origins[t, axis] = frozenset[tuple[int, int]]().union(*followed)
                    if seen & origins[t, axis]:
                        square.add(t)
                    seen |= origins[t, axis]
    return frozenset(square)
