"""What works between tokens: BATCH_MATMUL and TRANSPOSE."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tflm_split.kinds import OpKind
from tflm_split.program.types import Op, Program
from tflm_split.verify.fixed_point import multiply, wrap32
from tflm_split.verify.known.entry import Known
from tflm_split.verify.known.sharing import APART
from tflm_split.verify.operands import Operands, Row


def _batch_matmul(step: Operands) -> Row:
    p, rows = step.p, step.second.row_count
    first = step.row // p["left_rows"] * p["right_rows"]
    right = np.concatenate([step.read_second((first + k) % rows) for k in range(p["right_rows"])])
    left, right = step.read(step.row) - p["left_zero_point"], right - p["right_zero_point"]
    sums = wrap32(left @ (right.T if p["transposed"] else right))
    return np.clip(multiply(sums, p["multiplier"], p["shift"]) + p["output_zero_point"], -128, 127)


def _matmul_reads(program: Program, op: Op, row: int) -> Iterator[tuple[int, int]]:
    """One row of the left operand and the right operand's whole matrix, which may be the same for all batches."""
    assert op.input2 is not None
    yield op.input, row
    batch, rows = row // int(op.params["left_rows"]), int(op.params["right_rows"])
    for k in range(rows):
        yield op.input2, (batch * rows + k) % program.views[op.input2].row_count


def _transpose(step: Operands) -> Row:
    axes = step.p["row_axis"], step.p["column_axis"], step.p["channel_axis"]
    if axes[0] == 0:
        found: Row = step.read(step.row).transpose([a - 1 for a in axes[1:]])
    else:
        found = np.stack([step.read(k) for k in range(step.source.row_count)]).transpose(axes)[step.row]
    return found


def _transpose_reads(program: Program, op: Op, row: int) -> Iterator[tuple[int, int]]:
    """All rows, unless the output's rows are the input's."""
    for tap in range(program.views[op.input].row_count):
        if op.params["row_axis"] != 0 or tap == row:
            yield op.input, tap


KNOWN = {
    OpKind.BATCH_MATMUL: Known(_batch_matmul, _matmul_reads, APART),
    OpKind.TRANSPOSE: Known(_transpose, _transpose_reads, APART),
}
