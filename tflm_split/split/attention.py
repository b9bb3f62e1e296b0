"""Where are a split's attention scores? They need never be whole in memory.

Scores are a square: a row per query token, a column per key token. Each row is read once, for its own token, and the last
reader sums its columns away:

        keys            Each step makes one row of scores, turns it into weights (softmax),
      # # # # #  row    sums it with the values, and forgets it.
      . . . . .
      . . . . .  queries
"""

from __future__ import annotations

from tflm_split.split.axes.squares import squares
from tflm_split.split.axes.table import loops_of
from tflm_split.split.regions import Split
from tflm_split.split.row_op import RowOp
from tflm_split.split.rows import SAME_ROW


def attention_scores(split: Split) -> frozenset[int]:
    """The storages of the scores, and of the tensors made of them row by row, up to the one whose columns are summed."""
    readers: dict[int, list[RowOp]] = {}
    for op in split.row_ops:
        for t in dict.fromkeys(read.tensor for read in op.reads):
            readers.setdefault(t, []).append(op)
    scores: set[int] = set()
    square = squares(split.graph)
    for maker in reversed(split.graph.operators):
        for t in square.intersection(maker.outputs):
            following = readers.get(t, [])
            storage = split.storages.storages[split.storages.storage_of[t]] if following else None
            if storage is None or len(following) > 1 or t in split.graph.outputs or len(storage.tensors) > 1:
                continue
            (reader,) = following
            if _reads_its_row(reader, t) and (reader.output in scores or _sums_columns(split, reader, t)):
                scores.add(t)
    return frozenset(split.storages.storage_of[t] for t in scores)


def _reads_its_row(op: RowOp, tensor: int) -> bool:
    return not op.accumulates and all(read.window == SAME_ROW for read in op.reads if read.tensor == tensor)


def _sums_columns(split: Split, op: RowOp, tensor: int) -> bool:
    """Whether the tensor's last axis is summed away."""
    operator = split.graph.operators[op.source]
    loops = loops_of(split.graph, operator)
    columns = loops.followed(operator.inputs.index(tensor), len(split.graph.tensors[tensor].shape) - 1)
    return columns is not None and columns.loop >= loops.rank
