"""PAD and PADV2 by rows: an output row is all filler, or an input row with filler around it. Also the plain copy."""

from __future__ import annotations

from math import prod

import numpy as np

from tflm_split.ir.graph import ABSENT, Graph, Operator
from tflm_split.kinds import OpKind
from tflm_split.split.operators.common import activation, constant, need, per_tensor, result
from tflm_split.split.row_op import Params, Read, RowOp
from tflm_split.split.rows import Window, row_shape, shared_axis_is_width

HOW = {
    "PAD": "any axes but the batch; folded into a convolution where that is exact",
    "PADV2": "as PAD, with a constant",
}
"""Operator -> in a few words, how it is cut: for SUPPORTED.md."""


def pad_amounts(graph: Graph, op: Operator) -> tuple[tuple[int, int], ...]:
    """((before, after), ...) in elements, one pair per dimension.

    Raises Refusal when the amounts are not constant, or when one is negative.
    """
    amounts = constant(graph, op, 1, "INT32", "INT64")
    numbers = np.frombuffer(amounts.data or b"", "<i4" if amounts.dtype == "INT32" else "<i8")
    need(numbers.size % 2 == 0 and bool((numbers >= 0).all()), "geometry", "its padding is negative or odd in number")
    return tuple((int(a), int(b)) for a, b in numbers.reshape(-1, 2))


def pad_value(graph: Graph, op: Operator) -> int:
    """The filler as an int8: PADV2's constant, else the output's zero point.

    int16 and float32 can be padded with 0 only, because all bytes of the filler must be alike. TFLM's PAD fills them with
    0, too, whatever the zero point. Raises Refusal for another filler.
    """
    target = result(graph, op, "INT8", "INT16", "FLOAT32")
    if target.dtype != "INT8":
        filler = constant(graph, op, 2, target.dtype).data if op.kind == "PADV2" and len(op.inputs) > 2 else b""
        need(not any(filler or b""), "padding", f"it pads {target.dtype} with another value than 0")
        return 0
    if op.kind == "PADV2" and len(op.inputs) > 2 and op.inputs[2] != ABSENT:
        value = constant(graph, op, 2, "INT8")
        need(value.elements == 1, "geometry", "its filler is not one value")
        return int(np.frombuffer(value.data or b"", np.int8)[0])
    return per_tensor(target)[1]


def split_pad(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """One row op that pads the rows, columns and channels of a tensor. Raises Refusal when the batch is padded."""
    target = result(graph, op, "INT8", "INT16", "FLOAT32")
    source = activation(graph, op, 0, target.dtype)
    amounts = pad_amounts(graph, op)
    need(0 < len(source.shape) == len(target.shape) == len(amounts), "rank", "its padding does not fit its input")
    need(
        all(t == s + a + b for s, t, (a, b) in zip(source.shape, target.shape, amounts, strict=True)),
        "geometry",
        "its output shape does not fit its padding",
    )
    if len(source.shape) == 4:
        need(amounts[0] == (0, 0), "batch", "it pads the batch")
        transposed = shared_axis_is_width(source, target)
        rows, columns = (amounts[2][0], amounts[1][0]) if transposed else (amounts[1][0], amounts[2][0])
    else:
        rows, columns = _rows_before(source.shape, amounts), 0
    params: Params = {
        "pad_rows": rows,
        "pad_columns": columns,
        "pad_channels": amounts[-1][0],
        "value": pad_value(graph, op),
    }
    reads = (Read(source.index, row_shape(source), Window(pad=rows)),)
    return (RowOp(op.index, OpKind.PAD, reads, target.index, row_shape(target), params),)


def _rows_before(shape: tuple[int, ...], amounts: tuple[tuple[int, int], ...]) -> int:
    """How many rows of padding come before the first row of a tensor of rank 1 to 3, whose outer axes are its rows."""
    padded = [a for a in range(len(shape) - 1) if amounts[a] != (0, 0)]
    first = padded[0] if padded else 0
    together = len(padded) <= 1 and all(size == 1 for size in shape[:first])
    need(together, "axes", "it pads one of several outer axes")
    return amounts[first][0] * prod(shape[first + 1 : -1]) if padded else 0


COPY: Params = {"pad_rows": 0, "pad_columns": 0, "pad_channels": 0, "value": 0}
"""The parameters of a PAD that adds nothing: a copy."""
