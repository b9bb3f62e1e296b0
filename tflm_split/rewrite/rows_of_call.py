"""What a streamed input and a streamed output have in common: rows, and the tensor that holds those of one call."""

from __future__ import annotations

from collections.abc import Sequence

from tflm_split.errors import InputError, Refusal
from tflm_split.ir.graph import Graph, Tensor
from tflm_split.split.rows import RowShape, row_shape


def streamable_shape(value: Tensor, rows_per_call: int, what: str) -> RowShape:
    """The rows of `value`, the `what` ("input" or "output") that is streamed with `rows_per_call` of them in a call.

    Raises InputError, with the reason, where it has no rows, a single one, or no more than a call is to have.
    """
    moves, each = ("come", "bring") if what == "input" else ("go", "hand over")
    try:
        shape = row_shape(value)
    except Refusal as refusal:
        raise InputError(f"the {what} cannot {moves} row by row: {refusal}") from None
    if shape.rows < 2:
        raise InputError(f"the {what} of shape {list(value.shape)} has a single row, so there is nothing to stream")
    if rows_per_call >= shape.rows:
        raise InputError(f"the {what} has {shape.rows} rows: a call must {each} fewer, not {rows_per_call}")
    return shape


def behind_reshapes(graph: Graph, chain: Sequence[int], reshapes: Sequence[int]) -> tuple[int, frozenset[int]]:
    """(The tensor whose rows are streamed, the RESHAPEs passed over on the way to it).

    `chain` leads from the interface through `reshapes`, one between two of its tensors. Taken is the last tensor that has
    several rows, or else the first one.
    """
    for count in range(len(reshapes), 0, -1):
        try:
            if row_shape(graph.tensors[chain[count]]).rows > 1:
                return chain[count], frozenset(reshapes[:count])
        except Refusal:
            continue
    return chain[0], frozenset()


def tensor_of_call(index: int, name: str, whole: Tensor, rows: int) -> Tensor:
    """The tensor that holds the rows of one call: `whole` with `rows` rows, called as what it stands for in the interface."""
    dims = whole.shape
    if len(dims) == 4:
        _, height, width, channels = dims
        dims = (1, rows, width, channels) if height > 1 else (1, 1, rows, channels)
    else:
        dims = (*(1 for _ in dims[:-2]), rows, dims[-1])
    return Tensor(index, name, dims, whole.dtype, whole.quantization)
