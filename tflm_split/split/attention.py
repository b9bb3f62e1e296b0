"""Where are a split's attention scores: what lies between the product of queries and keys and that with the values?

They have a row per query, and each row is read once, for its own query: they need never be whole in memory.
"""

from __future__ import annotations

from tflm_split.program.format import OpKind
from tflm_split.split.regions import Split
from tflm_split.split.row_op import RowOp
from tflm_split.split.rows import SAME_ROW


def attention_scores(split: Split) -> frozenset[int]:
    """The storages of the scores and of what becomes of them, row by row, on their way to a BATCH_MATMUL's left operand."""
    readers: dict[int, list[RowOp]] = {}
    for op in split.row_ops:
        for t in dict.fromkeys(read.tensor for read in op.reads):
            readers.setdefault(t, []).append(op)
    found: set[int] = set()
    for op in split.row_ops:
        if op.kind is OpKind.BATCH_MATMUL:
            found.update(_path(split, op, readers))
    return frozenset(found)


def _path(split: Split, product: RowOp, readers: dict[int, list[RowOp]]) -> list[int]:
    """The storages from `product`'s output to another product; none when they lead elsewhere."""
    graph, storages = split.graph, split.storages
    path: list[int] = []
    op = product
    while True:
        tensor = op.output
        following = readers.get(tensor, [])
        storage = storages.storages[storages.storage_of[tensor]]
        if len(following) != 1 or tensor in graph.outputs or len(storage.tensors) != 1:
            return []
        path.append(storage.index)
        op = following[0]
        reads = [read for read in op.reads if not graph.tensors[read.tensor].is_constant]
        if op.kind is OpKind.BATCH_MATMUL and op.reads[0].tensor == tensor:
            return path
        if op.accumulates or len(reads) != 1 or reads[0].window != SAME_ROW:
            return []
