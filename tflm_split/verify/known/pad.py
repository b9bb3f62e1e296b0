"""PAD."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from tflm_split.kinds import OpKind
from tflm_split.program.types import Op, Program, View
from tflm_split.verify.known.entry import Known
from tflm_split.verify.known.sharing import Shares, same_row
from tflm_split.verify.operands import Operands, Row


def _pad(step: Operands) -> Row:
    p, source, output = step.p, step.source, step.output
    padded = np.full((output.column_count, output.channel_count), p["value"], np.int64)
    tap = step.row - p["pad_rows"]
    if 0 <= tap < source.row_count:
        padded[
            p["pad_columns"] : p["pad_columns"] + source.column_count,
            p["pad_channels"] : p["pad_channels"] + source.channel_count,
        ] = step.read(tap)
    return padded


def _reads(program: Program, op: Op, row: int) -> Iterator[tuple[int, int]]:
    """Rows of the border read nothing."""
    tap = row - int(op.params["pad_rows"])
    if 0 <= tap < program.views[op.input].row_count:
        yield op.input, tap


def _columns_read(op: Op, column: int, read: View) -> Iterable[int]:
    return (column - int(op.params["pad_columns"]),)


def _plain_copy(op: Op, output: View, read: View) -> bool:
    """Rule 2, where nothing is added within a row."""
    return op.params["pad_columns"] == op.params["pad_channels"] == 0 and same_row(op, output, read)


KNOWN = {OpKind.PAD: Known(_pad, _reads, Shares(_columns_read, _plain_copy))}
