"""Which input rows does a step read? The rules that several kinds share."""

from __future__ import annotations

from collections.abc import Iterator

from tflm_split.kinds.kind import Case, Reads, Row


def _same(case: Case, row: int) -> Iterator[Row]:
    yield Row(0, row)


def _operands(case: Case, row: int) -> Iterator[Row]:
    for k, view in enumerate(case.operands):
        yield Row(k, 0 if view.row_count == 1 else row)


def _window(case: Case, row: int) -> Iterator[Row]:
    first = row * case.number("stride_rows") - case.number("pad_rows")
    for k in range(case.number("kernel_rows")):
        tap = first + k * case.number("dilation_rows")
        if 0 <= tap < case.source.row_count:
            yield Row(0, tap)


SAME = Reads("same", _same)
"""Step r reads row r: element-wise kinds and feeds."""
OPERANDS = Reads("operands", _operands)
"""Step r reads row r of each operand, or row 0 of one that is broadcast along rows."""
WINDOW = Reads("window", _window)
"""Step r reads the rows that its window touches; rows outside the input are padding."""
