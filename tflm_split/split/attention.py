"""Where are a split's attention scores: what has a row and a column per token, and is summed up row by row in the end?

Each of their rows is read once, for its own token: they need never be whole in memory.
"""

from __future__ import annotations

from tflm_split.split.axes.squares import squares
from tflm_split.split.axes.table import loops_of
from tflm_split.split.regions import Split
from tflm_split.split.row_op import RowOp
from tflm_split.split.rows import SAME_ROW


def attention_scores(split: Split) -> frozenset[int]:
    """The storages of the scores and of what becomes of them, row by row, until their columns are summed."""
    readers: dict[int, list[RowOp]] = {}
    for op in split.row_ops:
        for t in dict.fromkeys(read.tensor for read in op.reads):
            readers.setdefault(t, []).append(op)
    found: set[int] = set()
    square = squares(split.graph)
    for maker in reversed(split.graph.operators):
        for t in square.intersection(maker.outputs):
            following = readers.get(t, [])
            storage = split.storages.storages[split.storages.storage_of[t]] if following else None
            if storage is None or len(following) > 1 or t in split.graph.outputs or len(storage.tensors) > 1:
                continue
            (reader,) = following
            if _reads_its_row(reader, t) and (reader.output in found or _sums_columns(split, reader, t)):
                found.add(t)
    return frozenset(split.storages.storage_of[t] for t in found)


def _reads_its_row(op: RowOp, tensor: int) -> bool:
    return not op.accumulates and all(read.window == SAME_ROW for read in op.reads if read.tensor == tensor)


def _sums_columns(split: Split, op: RowOp, tensor: int) -> bool:
    """Whether the tensor's last axis is summed away."""
    operator = split.graph.operators[op.source]
    loops = loops_of(split.graph, operator)
    columns = loops.followed(operator.inputs.index(tensor), len(split.graph.tensors[tensor].shape) - 1)
    return columns is not None and columns.loop >= loops.rank
