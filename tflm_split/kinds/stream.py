"""FETCH: rows of an input that is never whole."""

from __future__ import annotations

from collections.abc import Iterator

from tflm_split.kinds.kind import ANY, Case, Kind, Reads, Row
from tflm_split.kinds.record import Field, Record

FETCH_PARAMS = Record(
    "split_fetch_params",
    "FETCH: output row r is input row r % (input rows), with each byte's bits `flip` inverted. The input holds the rows of "
    "one call. Rows are taken in once, in increasing order.",
    (Field("flip", "uint32_t", "0, or 128 to make int8 of uint8", (0, 128)),),
)


def _rows(case: Case, row: int) -> Iterator[Row]:
    yield Row(0, row % case.source.row_count)


def _fault(case: Case) -> str | None:
    read, written, flip = case.source, case.output, case.number("flip")
    if read.element_bytes != written.element_bytes or read.shape[1:] != written.shape[1:]:
        return f"it makes rows of shape {list(written.shape[1:])} of rows of shape {list(read.shape[1:])}"
    if read.row_count > written.row_count:
        return f"its input of one call has {read.row_count} rows, and {written.row_count} are all there are"
    if flip not in (0, 128) or (flip and read.element_bytes != 1):
        return f"it inverts the bits {flip} of elements of {read.element_bytes} bytes"
    return None


FETCH = Kind(
    "FETCH",
    FETCH_PARAMS,
    reads=Reads("cycle", _rows),
    c_check="fetch",
    c_run="fetch",
    check=_fault,
    input_bytes=ANY,
    output_bytes=ANY,
    fetches=True,
)
KINDS = (FETCH,)
RECORDS = (FETCH_PARAMS,)
