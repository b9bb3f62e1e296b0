"""FETCH, EMIT: rows of an input or an output that is never whole."""

from __future__ import annotations

from collections.abc import Iterator

from tflm_split.kinds.kind import ANY, Case, Kind, Reads, Row
from tflm_split.kinds.reads import SAME
from tflm_split.kinds.record import Field, Record
from tflm_split.kinds.view import View

STREAM_PARAMS = Record(
    "split_stream_params",
    "Rows of a streamed input or output, with each byte's bits `flip` inverted. FETCH: output row r is input row r % (input "
    "rows). EMIT: input row r becomes output row r % (output rows), and a step takes in row `row` of the input. The short "
    "one of the two tensors holds the rows of one call. Rows come and go once, in increasing order.",
    (Field("flip", "uint32_t", "0, or 128 to make int8 of uint8, or uint8 of int8", (0, 128)),),
)


def _rows_of_call(case: Case, row: int) -> Iterator[Row]:
    yield Row(0, row % case.source.row_count)


def _fault(case: Case, whole: View, of_call: View) -> str | None:
    read, written, flip = case.source, case.output, case.number("flip")
    if read.element_bytes != written.element_bytes or read.shape[1:] != written.shape[1:]:
        return f"it makes rows of shape {list(written.shape[1:])} of rows of shape {list(read.shape[1:])}"
    if of_call.row_count > whole.row_count:
        return f"one call has {of_call.row_count} rows, and {whole.row_count} are all there are"
    if flip not in (0, 128) or (flip and read.element_bytes != 1):
        return f"it inverts the bits {flip} of elements of {read.element_bytes} bytes"
    return None


def _fetch_fault(case: Case) -> str | None:
    return _fault(case, case.output, case.source)


def _emit_fault(case: Case) -> str | None:
    return _fault(case, case.source, case.output)


FETCH = Kind(
    "FETCH",
    STREAM_PARAMS,
    reads=Reads("cycle", _rows_of_call),
    c_check="fetch",
    c_run="fetch",
    check=_fetch_fault,
    input_bytes=ANY,
    output_bytes=ANY,
    fetches=True,
)
EMIT = Kind(
    "EMIT",
    STREAM_PARAMS,
    reads=SAME,
    c_check="emit",
    c_run="emit",
    check=_emit_fault,
    input_bytes=ANY,
    output_bytes=ANY,
    emits=True,
)
KINDS = (FETCH, EMIT)
RECORDS = (STREAM_PARAMS,)
