"""Kinds that combine tokens: BATCH_MATMUL and TRANSPOSE."""

from __future__ import annotations

from collections.abc import Iterator

from tflm_split.kinds.kind import Case, Kind, Reads, Row
from tflm_split.kinds.quantized import INT8_VALUES, SHIFTS
from tflm_split.kinds.reads import SAME
from tflm_split.kinds.record import Field, Record

MATMUL_PARAMS = Record(
    "split_matmul_params",
    "BATCH_MATMUL: the output's pixels are the rows of a matrix per batch, and so are the operands'. Output row r belongs to "
    "batch r / left_rows, whose right operand is the right_rows rows from (batch * right_rows) % right view's rows on. "
    "out = clamp(MBQM(sum((x1 - zp1) * (x2 - zp2)), multiplier, shift) + output_zero_point): with `transposed`, channel n is "
    "the sum over the channels of the left pixel and the right operand's pixel n; without, channel c is the sum over the "
    "channels n of the left pixel and channel c of the right operand's pixel n.",
    (
        Field("left_zero_point", "int32_t", "", INT8_VALUES),
        Field("right_zero_point", "int32_t", "", INT8_VALUES),
        Field("output_zero_point", "int32_t", "", INT8_VALUES),
        Field("multiplier", "int32_t"),
        Field("shift", "int32_t", "", SHIFTS),
        Field("left_rows", "uint16_t", "of the output and the left operand, per batch"),
        Field("right_rows", "uint16_t", "of the right operand, per batch; it may be the same for all"),
        Field("transposed", "uint32_t", "0 or 1 (BATCH_MATMUL's adj_y)", (0, 1)),
    ),
)
TRANSPOSE_PARAMS = Record(
    "split_transpose_params",
    "TRANSPOSE: the output's rows, columns and channels are these axes of the input, 0 its rows, 1 its columns, 2 its "
    "channels. Output rows that are not the input's read all of them.",
    (
        Field("row_axis", "uint32_t"),
        Field("column_axis", "uint32_t"),
        Field("channel_axis", "uint32_t"),
    ),
)


def _matmul_rows(case: Case, row: int) -> Iterator[Row]:
    assert case.second is not None
    yield Row(0, row)
    count = case.number("right_rows")
    first = row // case.number("left_rows") * count % case.second.row_count
    for k in range(count):
        yield Row(1, first + k)


def _right_rows(case: Case) -> Iterator[Row]:
    assert case.second is not None
    for k in range(case.second.row_count):
        yield Row(1, k)


def _matmul_fault(case: Case) -> str | None:
    output, left, right = case.output, case.source, case.second
    assert right is not None
    left_rows, right_rows = case.number("left_rows"), case.number("right_rows")
    if left_rows < 1 or right_rows < 1 or output.row_count % left_rows:
        return f"its {output.row_count} rows are no batches of {left_rows} by {right_rows}"
    if right.row_count not in (right_rows, right_rows * (output.row_count // left_rows)):
        return f"its second input has {right.row_count} rows for batches of {right_rows}"
    if left.shape[:2] != output.shape[:2]:
        return f"its input of {left.row_count} x {left.column_count} pixels makes {output.row_count} x {output.column_count}"
    pixels = right_rows * right.column_count
    made_of, makes = (right.channel_count, pixels) if case.params["transposed"] else (pixels, right.channel_count)
    if (left.channel_count, output.channel_count) != (made_of, makes):
        return f"it takes {left.channel_count} channels to {output.channel_count}, needs {made_of} to {makes}"
    return None


def _axes(case: Case) -> list[int]:
    return [case.number(name) for name in ("row_axis", "column_axis", "channel_axis")]


def _transposed_rows(case: Case, row: int) -> Iterator[Row]:
    if case.params["row_axis"] == 0:
        yield Row(0, row)
        return
    for k in range(case.source.row_count):
        yield Row(0, k)


def _row_that_stays(case: Case, row: int) -> Iterator[Row]:
    if case.params["row_axis"] == 0:
        yield Row(0, row)


def _rows_turned(case: Case) -> Iterator[Row]:
    if case.params["row_axis"] != 0:
        yield from _transposed_rows(case, 0)


def _transpose_fault(case: Case) -> str | None:
    axes, read, written = _axes(case), case.source.shape, case.output.shape
    if sorted(axes) != [0, 1, 2]:
        return f"its axes are {axes}"
    return (
        None
        if written == tuple(read[axis] for axis in axes)
        else f"axes {axes} of {list(read)} are not {list(written)}"
    )


BATCH_MATMUL = Kind(
    "BATCH_MATMUL",
    MATMUL_PARAMS,
    reads=Reads(SAME.c_name, _matmul_rows, of_op=_right_rows, of_step=SAME.rows),
    c_check="matmul",
    c_run="matmul",
    check=_matmul_fault,
    operands=2,
)
TRANSPOSE = Kind(
    "TRANSPOSE",
    TRANSPOSE_PARAMS,
    reads=Reads("lines", _transposed_rows, of_op=_rows_turned, of_step=_row_that_stays),
    c_check="transpose",
    c_run="transpose",
    check=_transpose_fault,
)
KINDS = (BATCH_MATMUL, TRANSPOSE)
RECORDS = (MATMUL_PARAMS, TRANSPOSE_PARAMS)
