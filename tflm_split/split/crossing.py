"""Which tensors may cross from one region into another, whatever order the operators run in?

    region 1        stock operator       region 2
    makes t   --->     (TFLM)     --->   reads t

Such a tensor has to be whole when its region ends. It also has to lie in one piece, where TFLM can see it.
"""

from __future__ import annotations

from tflm_split.ir.graph import Graph


def may_cross(graph: Graph, stock: frozenset[int]) -> frozenset[int]:
    """Tensors that one split operator makes and another one reads, where some order runs a stock operator in between.

    A stock operator can run in between unless the maker depends on it, or it depends on the reader. In a graph that remembers,
    which runs in the order of the file, it stands in between or it does not. `stock`: indices of the stock operators.
    """
    if not stock:
        return frozenset()
    producers, consumers = graph.producers(), graph.consumers()
    if graph.states:
        makers = {t: maker for t, maker in producers.items() if maker not in stock}
        last = {t: max((k for k in consumers.get(t, ()) if k not in stock), default=-1) for t in makers}
        return frozenset(t for t, maker in makers.items() if any(maker < k < last[t] for k in stock))
    before = [0] * len(graph.operators)
    for op in graph.operators:
        for t in op.inputs:
            if t in producers:
                before[op.index] |= before[producers[t]] | 1 << producers[t]
    anywhere = sum(1 << k for k in stock)
    crossing: set[int] = set()
    for t, maker in producers.items():
        if maker in stock:
            continue
        for reader in consumers.get(t, ()):
            after = sum(1 << k for k in stock if before[k] >> reader & 1)
            if reader not in stock and anywhere & ~before[maker] & ~after:
                crossing.add(t)
    return frozenset(crossing)
