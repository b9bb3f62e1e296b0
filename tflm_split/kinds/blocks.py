"""Bytes that change places. DEPTH_TO_SPACE: channels spread over blocks of pixels. RECUT: the same bytes in other rows."""

from __future__ import annotations

from collections.abc import Iterator

from tflm_split.kinds.kind import ANY, Case, Kind, Reads, Row
from tflm_split.kinds.limits import MAX_BLOCK, MAX_RECUT
from tflm_split.kinds.record import Field, Record
from tflm_split.kinds.view import View

BLOCK_PARAMS = Record(
    "split_block_params",
    "DEPTH_TO_SPACE: output pixel (r, c) is part (r % block) * block + c % block of the channels of input pixel "
    "(r / block, c / block).",
    (Field("block", "uint32_t", ">= 1"),),
)

RECUT_PARAMS = Record(
    "split_recut_params",
    "RECUT: the elements of all output rows, one after the other, are those of all input rows from element `first` on. There "
    "are no gaps between pixels.",
    (Field("first", "uint32_t"),),
)


def _rows(case: Case, row: int) -> Iterator[Row]:
    yield Row(0, row // case.number("block"))


def _fault(case: Case) -> str | None:
    block, read, written = case.number("block"), case.source.shape, case.output.shape
    fits = (read[0] * block, read[1] * block, read[2]) == (*written[:2], written[2] * block**2)
    return None if 1 <= block <= MAX_BLOCK and fits else f"blocks of {block} make no {list(written)} of {list(read)}"


def _row_elements(view: View) -> int:
    return view.column_count * view.channel_count


def _recut_rows(case: Case, row: int) -> Iterator[Row]:
    read, written = _row_elements(case.source), _row_elements(case.output)
    first = case.number("first") + row * written
    for k in range(first // read, (first + written - 1) // read + 1):
        yield Row(0, k)


def _recut_fault(case: Case) -> str | None:
    read, written, first = case.source, case.output, case.number("first")
    if read.element_bytes != written.element_bytes:
        return f"it makes elements of {written.element_bytes} bytes of elements of {read.element_bytes}"
    if first + written.elements > read.elements:
        return f"it takes elements {first} to {first + written.elements} of {read.elements}"
    if read.elements > MAX_RECUT:
        return f"its input has {read.elements} elements, and {MAX_RECUT} is the most"
    dense = all(
        v.column_count == 1 or v.pixel_stride_bytes == v.channel_count * v.element_bytes for v in (read, written)
    )
    return None if dense else "its pixels have gaps between them"


DEPTH_TO_SPACE = Kind(
    "DEPTH_TO_SPACE",
    BLOCK_PARAMS,
    reads=Reads("block", _rows),
    c_check="depth_to_space",
    c_run="depth_to_space",
    check=_fault,
)
RECUT = Kind(
    "RECUT",
    RECUT_PARAMS,
    reads=Reads("recut", _recut_rows),
    c_check="recut",
    c_run="recut",
    check=_recut_fault,
    input_bytes=ANY,
    output_bytes=ANY,
    dense=True,
)
KINDS = (DEPTH_TO_SPACE, RECUT)
RECORDS = (BLOCK_PARAMS, RECUT_PARAMS)
