"""DEPTH_TO_SPACE: channels spread over blocks of pixels."""

from __future__ import annotations

from collections.abc import Iterator

from tflm_split.kinds.kind import Case, Kind, Reads, Row
from tflm_split.kinds.limits import MAX_BLOCK
from tflm_split.kinds.record import Field, Record

BLOCK_PARAMS = Record(
    "split_block_params",
    "DEPTH_TO_SPACE: output pixel (r, c) is part (r % block) * block + c % block of the channels of input pixel "
    "(r / block, c / block).",
    (Field("block", "uint32_t", ">= 1"),),
)


def _rows(case: Case, row: int) -> Iterator[Row]:
    yield Row(0, row // case.number("block"))


def _fault(case: Case) -> str | None:
    block, read, written = case.number("block"), case.source.shape, case.output.shape
    fits = (read[0] * block, read[1] * block, read[2]) == (*written[:2], written[2] * block**2)
    return None if 1 <= block <= MAX_BLOCK and fits else f"blocks of {block} make no {list(written)} of {list(read)}"


DEPTH_TO_SPACE = Kind(
    "DEPTH_TO_SPACE",
    BLOCK_PARAMS,
    reads=Reads("block", _rows),
    c_check="depth_to_space",
    c_run="depth_to_space",
    check=_fault,
)
KINDS = (DEPTH_TO_SPACE,)
RECORDS = (BLOCK_PARAMS,)
