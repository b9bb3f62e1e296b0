"""GATHER: rows of a constant table, by index."""

from __future__ import annotations

from tflm_split.kinds.kind import Case, Channels, Constant, Kind
from tflm_split.kinds.reads import SAME
from tflm_split.kinds.record import Field, Record

GATHER_PARAMS = Record(
    "split_gather_params",
    "GATHER: output row r is entry x of a constant table, x the one int32 of input row r; 0 below, entry_count - 1 above.",
    (
        Field("table_offset", "uint32_t", "int8[entry_count][output columns * output channels]"),
        Field("entry_count", "uint32_t", ">= 1"),
    ),
)


def _fault(case: Case) -> str | None:
    if case.source.shape != (case.output.row_count, 1, 1):
        return f"its indices of shape {list(case.source.shape)} are not one for each of {case.output.row_count} rows"
    return None if case.params["entry_count"] >= 1 else "its table is empty"


def _table_bytes(case: Case) -> int:
    return case.number("entry_count") * case.output.column_count * case.output.channel_count


GATHER = Kind(
    "GATHER",
    GATHER_PARAMS,
    reads=SAME,
    c_check="gather",
    c_run="gather",
    check=_fault,
    constants=(Constant("table_offset", 4, _table_bytes),),
    input_bytes=(4,),
    channels=Channels.SAME,
)
KINDS = (GATHER,)
RECORDS = (GATHER_PARAMS,)
