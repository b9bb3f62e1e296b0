"""AVERAGE_POOL and MAX_POOL, and both at once for int16 and float32."""

from __future__ import annotations

from math import inf

from tflm_split.kinds.kind import (
    FLOAT,
    INT16,
    Case,
    Channels,
    InPlace,
    Kind,
    first_fault,
    mode_fault,
    output_range_fault,
)
from tflm_split.kinds.modes import PoolMode
from tflm_split.kinds.quantized import FLOAT_LIMITS, INT8_VALUES, INT16_VALUES, INT_LIMITS
from tflm_split.kinds.reads import WINDOW as WINDOW_ROWS
from tflm_split.kinds.record import Field, Record
from tflm_split.kinds.window import WINDOW_BLOCK, empty_window_fault, window_fault

POOL_PARAMS = Record(
    "split_pool_params",
    "AVERAGE_POOL, MAX_POOL: taps outside the input do not count.",
    (WINDOW_BLOCK, *INT_LIMITS),
)
POOL_INT16_PARAMS = Record(
    "split_pool_int16_params",
    "POOL_INT16: taps outside the input do not count.",
    (WINDOW_BLOCK, *INT_LIMITS, Field("mode", "int32_t", "PoolMode")),
)
POOL_FLOAT_PARAMS = Record(
    "split_pool_float_params",
    "POOL_FLOAT: taps outside the input do not count; sums by row and column, then one division.",
    (WINDOW_BLOCK, *FLOAT_LIMITS, Field("mode", "int32_t", "PoolMode")),
)


def _pool_fault(case: Case) -> str | None:
    inputs, outputs = case.source.channel_count, case.output.channel_count
    channels = None if inputs == outputs else f"it pools {inputs} channels into {outputs}"
    return first_fault(window_fault(case), channels, empty_window_fault(case))


def _int8_fault(case: Case) -> str | None:
    return first_fault(_pool_fault(case), output_range_fault(case, *INT8_VALUES))


AVERAGE_POOL = Kind(
    "AVERAGE_POOL",
    POOL_PARAMS,
    reads=WINDOW_ROWS,
    c_check="pool",
    c_run="pool",
    check=_int8_fault,
    in_place=InPlace.CHANNEL_WISE,
    channels=Channels.SAME,
)
MAX_POOL = Kind(
    "MAX_POOL",
    POOL_PARAMS,
    reads=WINDOW_ROWS,
    c_check="pool",
    c_run="pool",
    check=_int8_fault,
    in_place=InPlace.CHANNEL_WISE,
    channels=Channels.SAME,
)
POOL_INT16 = Kind(
    "POOL_INT16",
    POOL_INT16_PARAMS,
    reads=WINDOW_ROWS,
    c_check="pool_int16",
    c_run="pool_int16",
    check=lambda case: first_fault(
        _pool_fault(case), output_range_fault(case, *INT16_VALUES), mode_fault(case, PoolMode)
    ),
    input_bytes=INT16,
    output_bytes=INT16,
    in_place=InPlace.CHANNEL_WISE,
)
POOL_FLOAT = Kind(
    "POOL_FLOAT",
    POOL_FLOAT_PARAMS,
    reads=WINDOW_ROWS,
    c_check="pool_float",
    c_run="pool_float",
    check=lambda case: first_fault(_pool_fault(case), output_range_fault(case, -inf, inf), mode_fault(case, PoolMode)),
    input_bytes=FLOAT,
    output_bytes=FLOAT,
    in_place=InPlace.CHANNEL_WISE,
)
KINDS = (AVERAGE_POOL, MAX_POOL, POOL_INT16, POOL_FLOAT)
RECORDS = (POOL_PARAMS, POOL_INT16_PARAMS, POOL_FLOAT_PARAMS)
