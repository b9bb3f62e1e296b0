"""TRANSPOSE_CONV, of int8 and int16."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tflm_split.kinds import OpKind
from tflm_split.program.types import Op, Program
from tflm_split.verify import oracle_int8, oracle_int16
from tflm_split.verify.known.entry import Known
from tflm_split.verify.known.sharing import APART
from tflm_split.verify.operands import Operands, Row


def _scattered(step: Operands, zero_point: int) -> Row:
    """Every input row that reaches this output row is scattered over it, as TFLM scatters it; without the bias."""
    p, source, output = step.p, step.source, step.output
    shape = (output.channel_count, p["kernel_rows"], p["kernel_columns"], source.channel_count)
    weights = step.constant("weights_offset", np.int8).reshape(shape)
    sums = np.zeros((output.column_count, output.channel_count), np.int64)
    for tap in range(source.row_count):
        k = step.row + p["pad_rows"] - tap * p["stride_rows"]
        if not 0 <= k < p["kernel_rows"]:
            continue
        x = step.read(tap) - zero_point
        for t in range(p["kernel_columns"]):
            columns = np.arange(source.column_count) * p["stride_columns"] - p["pad_columns"] + t
            inside = (columns >= 0) & (columns < output.column_count)
            sums[columns[inside]] += x[inside] @ weights[:, k, t].T
    return sums


def _transpose_conv(step: Operands) -> Row:
    return oracle_int8.requantize(step, _scattered(step, step.p["input_zero_point"]))


def _transpose_conv_int16(step: Operands) -> Row:
    return oracle_int16.requantize(step, _scattered(step, 0))


def _reads(program: Program, op: Op, row: int) -> Iterator[tuple[int, int]]:
    """The input rows whose kernel, laid onto the output, covers this row."""
    padded, stride = row + int(op.params["pad_rows"]), int(op.params["stride_rows"])
    for tap in range(program.views[op.input].row_count):
        if 0 <= padded - tap * stride < int(op.params["kernel_rows"]):
            yield op.input, tap


KNOWN = {
    OpKind.TRANSPOSE_CONV: Known(_transpose_conv, _reads, APART),
    OpKind.TRANSPOSE_CONV_INT16: Known(_transpose_conv_int16, _reads, APART),
}
