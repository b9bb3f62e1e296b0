"""What lies under a window? For the families that slide one: its taps as numbers, and which columns it reads."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from tflm_split.program.types import Op, View
from tflm_split.verify.known.sharing import Shares, one_column
from tflm_split.verify.operands import Floats, Operands, Row

FloatTaps = list[tuple[int, int, Floats, npt.NDArray[np.bool_]]]
"""(kernel row, kernel column, pixels [columns, channels], which of them lie inside) in the order sums run."""


def columns_read(op: Op, column: int, read: View) -> Iterable[int]:
    """The columns under the window of an output column."""
    first = column * int(op.params["stride_columns"]) - int(op.params["pad_columns"])
    return (first + k * int(op.params["dilation_columns"]) for k in range(int(op.params["kernel_columns"])))


IN_ORDER = Shares(columns_read)
CHANNEL_WISE = Shares(columns_read, one_column)


def taps(step: Operands, outside: int) -> tuple[Row, npt.NDArray[np.bool_]]:
    """The window's taps [kernel rows, kernel columns, columns, channels], and which of them lie inside the input.

    The others hold `outside`.
    """
    source, output, p = step.source, step.output, step.p
    columns = np.arange(output.column_count) * p["stride_columns"] - p["pad_columns"]
    columns = columns[None, :] + (np.arange(p["kernel_columns"]) * p["dilation_columns"])[:, None]
    column_inside = (columns >= 0) & (columns < source.column_count)
    shape = (p["kernel_rows"], p["kernel_columns"], output.column_count, source.channel_count)
    found = np.full(shape, outside, np.int64)
    inside = np.zeros(shape[:3], np.bool_)
    for k in range(p["kernel_rows"]):
        tap = step.row * p["stride_rows"] - p["pad_rows"] + k * p["dilation_rows"]
        if 0 <= tap < source.row_count:
            inside[k] = column_inside
            found[k][column_inside] = step.read(tap)[columns[column_inside]]
    return found, inside


def float_taps(step: Operands) -> FloatTaps:
    """The taps of the rows that lie inside the input; one tap of nothing if there are none."""
    source, output, p = step.source, step.output, step.p
    found: FloatTaps = []
    for k in range(p["kernel_rows"]):
        read = step.row * p["stride_rows"] - p["pad_rows"] + k * p["dilation_rows"]
        if not 0 <= read < source.row_count:
            continue
        pixels = step.read_floats(read)
        for t in range(p["kernel_columns"]):
            columns = np.arange(output.column_count) * p["stride_columns"] - p["pad_columns"]
            columns = columns + t * p["dilation_columns"]
            inside = (columns >= 0) & (columns < source.column_count)
            found.append((k, t, pixels[np.where(inside, columns, 0)], inside))
    nothing = np.zeros((output.column_count, source.channel_count), np.float32)
    return found or [(0, 0, nothing, np.zeros(output.column_count, np.bool_))]
