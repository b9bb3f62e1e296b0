"""TRANSPOSE by rows. Where rows stay rows, an output row reads one input row; else it reads all of them."""

from __future__ import annotations

import numpy as np

from tflm_split.errors import Refusal
from tflm_split.ir.graph import Graph, Operator, Tensor
from tflm_split.kinds import OpKind
from tflm_split.split.operators.common import activation, constant, need, result
from tflm_split.split.operators.picked import transposed
from tflm_split.split.row_op import Params, Read, RowOp
from tflm_split.split.rows import SAME_ROW, BatchRows, row_shape, rows_run_along_width

HOW = {
    "TRANSPOSE": "a row gathers from every row, unless rows stay rows; two that undo each other are nothing",
}
"""Operator -> in a few words, how it is cut: for SUPPORTED.md."""

Axes = tuple[int, ...]


def split_transpose(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """One row op: rows, columns and channels change places.

    Elements that stay within their row may be of any type, all others have 8 bits. Raises Refusal for a permutation that
    tears the axes of a row apart.
    """
    try:
        return _between_rows(graph, op)
    except Refusal as refusal:
        try:
            return transposed(graph, op)
        except Refusal:
            raise refusal from None


def _between_rows(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    source, target = activation(graph, op, 0, "INT8", "UINT8"), result(graph, op, "INT8", "UINT8")
    order = np.frombuffer(constant(graph, op, 1, "INT32").data or b"", "<i4").tolist()
    rank = len(source.shape)
    order = [a + rank if a < 0 else a for a in order]
    need(sorted(order) == list(range(rank)), "axes", f"its permutation is {order}")
    need(target.shape == tuple(source.shape[a] for a in order), "geometry", "its output is not its input transposed")
    need(source.dtype == target.dtype, "dtype", "its input and output differ in type")
    read, written = row_shape(source), row_shape(target)
    come_from = _permutation(_parts(source), [tuple(order[a] for a in part) for part in _parts(target)])
    need(come_from is not None, "axes", f"its permutation {order} tears rows of {list(source.shape)} apart")
    assert come_from is not None
    window = SAME_ROW if come_from[0] == 0 else BatchRows(written.rows, read.rows)
    names = ("row_axis", "column_axis", "channel_axis")
    params: Params = dict(zip(names, come_from, strict=True))
    return (RowOp(op.index, OpKind.TRANSPOSE, (Read(source.index, read, window),), target.index, written, params),)


def _parts(tensor: Tensor) -> list[Axes]:
    """[axes that make the rows, the columns, the channels] of a tensor, without axes of one element."""
    if len(tensor.shape) == 4:
        parts: list[Axes] = [(2,), (1,), (3,)] if rows_run_along_width(tensor) else [(1,), (2,), (3,)]
    else:
        parts = [tuple(range(len(tensor.shape) - 1)), (), (len(tensor.shape) - 1,)]
    return [tuple(a for a in part if tensor.shape[a] > 1) for part in parts]


def _permutation(source: list[Axes], target: list[Axes]) -> list[int] | None:
    """For the output's rows, columns and channels: which of the input's (0, 1, 2) they are. None when one is none of them."""
    target = [tuple(a for a in part if any(a in other for other in source)) for part in target]
    left = [0, 1, 2]
    places = []
    for part in target:
        same = [k for k in left if source[k] == part]
        if not same:
            return None
        places.append(same[0])
        left.remove(same[0])
    return places
