"""What becomes of a schedule when its graph is rewritten? Operators that stay keep their places in it."""

from __future__ import annotations

from tflm_split.ir.graph import Graph
from tflm_split.rewrite.copy_operators import Copy
from tflm_split.rewrite.tile_columns import Tiles, tile_blocks
from tflm_split.schedule.cuts import Schedule


def renumbering(before: Graph, after: Graph) -> dict[int, int]:
    """Operator of `before` -> operator of `after` that makes the same tensor. Operators that are gone are missing."""
    makers = after.producers()
    return {op.index: makers[op.outputs[0]] for op in before.operators if op.outputs and op.outputs[0] in makers}


def rescheduled(schedule: Schedule, before: Graph, after: Graph) -> Schedule:
    """The nodes and cuts of `schedule` carried over from `before` to `after`.

    A new operator runs right before its first reader. The result has no steps and no live peak yet.
    """
    now, makers = renumbering(before, after), after.producers()
    kept = set(now.values())
    nodes: list[int] = []
    placed: set[int] = set()

    def place(node: int) -> None:
        """Append `node`, after the new operators that it reads from."""
        for t in after.operators[node].inputs:
            if t in makers and makers[t] not in kept and makers[t] not in placed:
                place(makers[t])
        placed.add(node)
        nodes.append(node)

    cuts = []
    starts = set(schedule.cuts)
    for position, node in enumerate(schedule.nodes):
        if position in starts:
            cuts.append(len(nodes))
        if node in now:
            place(now[node])
    return Schedule(tuple(nodes), tuple(dict.fromkeys(cut for cut in cuts if cut < len(nodes))), (), 0)


def carried_over(before: Graph, after: Graph, rewrite: Copy | Tiles) -> dict[int, tuple[int, ...]]:
    """Operator of `before` -> those of `after` that do its work: each tile of a block has one of its own."""
    now: dict[int, tuple[int, ...]] = {k: (n,) for k, n in renumbering(before, after).items()}
    if isinstance(rewrite, Tiles):
        blocks = tile_blocks(before, after, rewrite)
        now |= {k: tuple(block[k] for block in blocks) for k in rewrite.operators}
    return now
