"""The window that convolutions and pools slide over their input, and which windows are refused."""

from __future__ import annotations

from tflm_split.kinds.kind import Case, first_fault
from tflm_split.kinds.limits import MAX_REACH, MAX_WINDOW_ROWS
from tflm_split.kinds.record import Block, Field, Record

_U16 = (1, 0xFFFF)

WINDOW = Record(
    "split_window_params",
    "What convolutions and pooling slide over their input. Every record with a window begins with it.",
    (
        Field("kernel_rows", "uint16_t", "1..SPLIT_MAX_WINDOW_ROWS", _U16),
        Field("kernel_columns", "uint16_t", "", _U16),
        Field("stride_rows", "uint16_t", "", _U16),
        Field("stride_columns", "uint16_t", "", _U16),
        Field("dilation_rows", "uint16_t", "", _U16),
        Field("dilation_columns", "uint16_t", "", _U16),
        Field(
            "pad_rows",
            "int16_t",
            "rows of padding above row 0: window row k of output row r reads r*stride - pad + k*dilation",
        ),
        Field("pad_columns", "int16_t"),
    ),
)
WINDOW_BLOCK = Block("window", WINDOW)


def window_fault(case: Case) -> str | None:
    """Refuse a window that is too tall for the executor's stack, or whose positions or bytes could overflow an int32."""
    return first_fault(
        height_fault(case), _reach_fault(case, "rows"), _reach_fault(case, "columns"), _bytes_fault(case)
    )


def height_fault(case: Case) -> str | None:
    """Refuse a window of more rows than a step has pointers for."""
    rows = case.number("kernel_rows")
    return f"its window has {rows} rows, and {MAX_WINDOW_ROWS} is the most" if rows > MAX_WINDOW_ROWS else None


def _reach_fault(case: Case, axis: str) -> str | None:
    count = case.output.row_count if axis == "rows" else case.output.column_count
    reach = max(
        (count - 1) * case.number(f"stride_{axis}"), case.number(f"kernel_{axis}") * case.number(f"dilation_{axis}")
    )
    return f"its window reaches {reach} {axis} far, and {MAX_REACH - 1} is the most" if reach >= MAX_REACH else None


def _bytes_fault(case: Case) -> str | None:
    columns = case.output.column_count * case.number("stride_columns") + abs(case.number("pad_columns"))
    columns += case.number("kernel_columns") * case.number("dilation_columns")
    reach = columns * case.source.pixel_stride_bytes
    return f"its window reaches {reach} bytes far, and {MAX_REACH - 1} is the most" if reach >= MAX_REACH else None


def empty_window_fault(case: Case) -> str | None:
    """Refuse a pooling window with no tap inside its input: it has no average and no maximum."""
    return first_fault(
        _empty_along(case, "rows", case.output.row_count, case.source.row_count),
        _empty_along(case, "columns", case.output.column_count, case.source.column_count),
    )


def _empty_along(case: Case, axis: str, outputs: int, inputs: int) -> str | None:
    stride, pad = case.number(f"stride_{axis}"), case.number(f"pad_{axis}")
    kernel, dilation = case.number(f"kernel_{axis}"), case.number(f"dilation_{axis}")
    for i in range(outputs):
        start = i * stride - pad
        tap = max(0, -(start // dilation))  # the first tap at or after 0
        if tap >= kernel or start + tap * dilation >= inputs:
            return f"the window of output {i} lies outside the input's {axis}"
    return None
