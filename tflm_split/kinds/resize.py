"""RESIZE_NEAREST and RESIZE_BILINEAR: a map says from which place of the input each output pixel comes."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from tflm_split.kinds.kind import Case, Channels, Constant, Kind, Reads, Row
from tflm_split.kinds.limits import POSITIONS_PER_PIXEL
from tflm_split.kinds.record import Field, Record

RESIZE_PARAMS = Record(
    "split_resize_params",
    "RESIZE_NEAREST: output pixel (r, c) is input pixel (row_map[r], column_map[c]).",
    (
        Field("row_map_offset", "uint32_t", "uint16[output rows], each below the input's rows"),
        Field("column_map_offset", "uint32_t", "uint16[output columns], each below the input's columns"),
    ),
)
BILINEAR_PARAMS = Record(
    "split_bilinear_params",
    "RESIZE_BILINEAR: output pixel (r, c) lies at row_positions[r], column_positions[c] of the input, in 1/1024 of a pixel. "
    "Its four neighbours are weighted by their distances and the sum, in 1/2^20, is rounded half away from zero.",
    (
        Field("row_positions_offset", "uint32_t", "uint32[output rows], each at most 1024 * (input rows - 1)"),
        Field("column_positions_offset", "uint32_t", "uint32[output columns], each at most 1024 * (input columns - 1)"),
    ),
)


def _entries(case: Case, field: str, code: str) -> tuple[int, ...]:
    constant = case.constants[field]
    return struct.unpack(f"<{len(constant) // struct.calcsize(code)}{code}", constant)


def _mapped(case: Case, row: int) -> Iterator[Row]:
    yield Row(0, _entries(case, "row_map_offset", "H")[row])


def _between(case: Case, row: int) -> Iterator[Row]:
    first, rest = divmod(_entries(case, "row_positions_offset", "I")[row], POSITIONS_PER_PIXEL)
    yield Row(0, first)
    if rest:
        yield Row(0, first + 1)


def _channels_fault(case: Case) -> str | None:
    inputs, outputs = case.source.channel_count, case.output.channel_count
    return None if inputs == outputs else f"it resizes {inputs} channels into {outputs}"


def _maps_fault(case: Case) -> str | None:
    for axis, count in (("row", case.source.row_count), ("column", case.source.column_count)):
        if max(_entries(case, f"{axis}_map_offset", "H")) >= count:
            return f"its {axis} map leads outside the input's {count} {axis}s"
    return None


def _positions_fault(case: Case) -> str | None:
    for axis, count in (("row", case.source.row_count), ("column", case.source.column_count)):
        if max(_entries(case, f"{axis}_positions_offset", "I")) > (count - 1) * POSITIONS_PER_PIXEL:
            return f"its {axis} positions lead outside the input's {count} {axis}s"
    return None


RESIZE_NEAREST = Kind(
    "RESIZE_NEAREST",
    RESIZE_PARAMS,
    reads=Reads("mapped", _mapped),
    c_check="resize",
    c_run="resize_nearest",
    check=_channels_fault,
    check_constants=_maps_fault,
    constants=(
        Constant("row_map_offset", 2, lambda case: 2 * case.output.row_count),
        Constant("column_map_offset", 2, lambda case: 2 * case.output.column_count),
    ),
    channels=Channels.SAME,
)
RESIZE_BILINEAR = Kind(
    "RESIZE_BILINEAR",
    BILINEAR_PARAMS,
    reads=Reads("between", _between),
    c_check="bilinear",
    c_run="bilinear",
    check=_channels_fault,
    check_constants=_positions_fault,
    constants=(
        Constant("row_positions_offset", 4, lambda case: 4 * case.output.row_count),
        Constant("column_positions_offset", 4, lambda case: 4 * case.output.column_count),
    ),
    channels=Channels.SAME,
)
KINDS = (RESIZE_NEAREST, RESIZE_BILINEAR)
RECORDS = (RESIZE_PARAMS, BILINEAR_PARAMS)
