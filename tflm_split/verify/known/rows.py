"""Which rows does a step read? The rules that several families share."""

from __future__ import annotations

from collections.abc import Iterator

from tflm_split.program.types import Op, Program


def same_row(program: Program, op: Op, row: int) -> Iterator[tuple[int, int]]:
    """Row `row` of each operand."""
    for index in (op.input, op.input2):
        if index is not None:
            yield index, row


def same_row_or_only(program: Program, op: Op, row: int) -> Iterator[tuple[int, int]]:
    """Row `row` of each operand; an operand of one row is broadcast."""
    for index, same in same_row(program, op, row):
        yield index, 0 if program.views[index].row_count == 1 else same


def window(program: Program, op: Op, row: int) -> Iterator[tuple[int, int]]:
    """The rows under the window that lie inside the input."""
    first = row * int(op.params["stride_rows"]) - int(op.params["pad_rows"])
    for k in range(int(op.params["kernel_rows"])):
        tap = first + k * int(op.params["dilation_rows"])
        if 0 <= tap < program.views[op.input].row_count:
            yield op.input, tap
