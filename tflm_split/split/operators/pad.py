"""PAD and PADV2 by rows: an output row is all filler, or an input row with filler around it. Also the plain copy."""

from __future__ import annotations

import numpy as np

from tflm_split.ir.graph import ABSENT, Graph, Operator
from tflm_split.kinds import OpKind
from tflm_split.split.operators.common import activation, constant, need, per_tensor, result
from tflm_split.split.row_op import Params, Read, RowOp
from tflm_split.split.rows import Window, row_shape, shared_axis_is_width

HOW = {
    "PAD": "rows, columns and channels; folded into a convolution where that is exact",
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
    """One row op that pads the rows, columns and channels of a 4-D tensor. Raises Refusal when the batch is padded."""
    target = result(graph, op, "INT8", "INT16", "FLOAT32")
    source = activation(graph, op, 0, target.dtype)
    amounts = pad_amounts(graph, op)
    need(len(source.shape) == len(target.shape) == len(amounts) == 4, "rank", "its input is not 4-dimensional")
    need(amounts[0] == (0, 0), "batch", "it pads the batch")
    need(
        all(t == s + a + b for s, t, (a, b) in zip(source.shape, target.shape, amounts, strict=True)),
        "geometry",
        "its output shape does not fit its padding",
    )
    transposed = shared_axis_is_width(source, target)
    rows, columns = (amounts[2], amounts[1]) if transposed else (amounts[1], amounts[2])
    params: Params = {
        "pad_rows": rows[0],
        "pad_columns": columns[0],
        "pad_channels": amounts[3][0],
        "value": pad_value(graph, op),
    }
    reads = (Read(source.index, row_shape(source), Window(pad=rows[0])),)
    return (RowOp(op.index, OpKind.PAD, reads, target.index, row_shape(target), params),)


COPY: Params = {"pad_rows": 0, "pad_columns": 0, "pad_channels": 0, "value": 0}
"""The parameters of a PAD that adds nothing: a copy."""
