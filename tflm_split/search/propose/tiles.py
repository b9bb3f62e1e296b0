"""Which chains of windowed operators should run one tile of columns at a time (`rewrite/tile_columns.py`)?

Those around a tensor whose rows crowd the worst step. With two tiles, half a row of that tensor is enough:

    input ->  | tile 0 | tile 1 |  ->  output      the whole chain runs for tile 0, then for tile 1
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tflm_split.errors import Refusal
from tflm_split.ir.graph import Graph
from tflm_split.rewrite.tile_columns import WINDOWED, Tiles, column_windows
from tflm_split.search.decision import Decision
from tflm_split.search.evaluate import Evaluation
from tflm_split.search.limits import Limits

PARTS = (2, 3, 4, 6, 8)
"""Numbers of tiles to try."""
MAX_OPERATORS = 4
"""Most operators of a chain."""


def propose(state: Evaluation, limits: Limits) -> Iterator[Decision]:
    """Tilings of the chains around the tensors that live at the peak."""
    if not limits.axes >= {"rows", "columns"}:
        return
    for t in state.held_at_peak():
        for tiles in tiles_to_try(state.graph, t, state.split.stock, limits.allow_extra_macs):
            yield state.rewritten((tiles,))


def tiles_to_try(graph: Graph, tensor: int, stock: frozenset[int], may_overlap: bool) -> Iterator[Tiles]:
    """Tilings of the chains that `tensor` is inside of, those with few tiles first.

    Without `may_overlap`, chains are left out whose tiles would compute some columns twice.
    """
    chains = list(_chains(graph, tensor, stock))
    for parts in PARTS:
        for chain in chains:
            width = graph.tensors[graph.operators[chain[-1]].outputs[0]].shape[2]
            if width >= 2 * parts and (may_overlap or not _overlap(graph, chain)):
                yield Tiles(chain, tuple(width * k // parts for k in range(parts)))


def _chains(graph: Graph, tensor: int, stock: frozenset[int]) -> Iterator[tuple[int, ...]]:
    """Chains of operators that make and read `tensor`, the shortest first. Each operator is the only reader of the last."""
    producers, consumers = graph.producers(), graph.consumers()

    def fits(k: int) -> bool:
        """Whether operator `k` has a window, is not stock, and reads and writes more than one row."""
        op = graph.operators[k]
        if op.kind not in WINDOWED or k in stock:
            return False
        shapes = [graph.tensors[t].shape for t in (op.inputs[0], op.outputs[0])]
        return all(len(shape) == 4 and shape[1] > 1 for shape in shapes)

    def only_reader(t: int) -> int | None:
        """The operator that reads `t`, if there is only one and it fits."""
        readers = consumers.get(t, ())
        return readers[0] if len(readers) == 1 and t not in graph.outputs and fits(readers[0]) else None

    maker = producers.get(tensor)
    reader = only_reader(tensor)
    if maker is None or reader is None or not fits(maker):
        return
    chain = [maker, reader]
    while True:
        yield tuple(chain)
        if len(chain) == MAX_OPERATORS:
            return
        after = only_reader(graph.operators[chain[-1]].outputs[0])
        source = graph.operators[chain[0]].inputs[0]
        before = producers.get(source)
        if after is not None:
            chain.append(after)
        elif before is not None and fits(before) and only_reader(source) == chain[0]:
            chain.insert(0, before)
        else:
            return


def _overlap(graph: Graph, chain: Sequence[int]) -> bool:
    """Whether neighbouring tiles compute some columns twice, as they do where a window reads more columns than its stride.

    The first operator does not count: what it reads is there anyway.
    """
    try:
        columns = [column_windows(graph, graph.operators[k])[1] for k in chain[1:]]
    except Refusal:
        return True
    return any((c.kernel - 1) * c.dilation + 1 > c.stride for c in columns)
