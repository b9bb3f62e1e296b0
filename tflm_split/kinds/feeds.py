"""Ops that take their input in row by row and keep an accumulator: SUM_FEED and DENSE_FEED of int8, int16 and float32; and
those that add up at once: PIXEL_SUM the channels of each pixel, ROW_SUM the pixels of each row.
"""

from __future__ import annotations

from math import inf

from tflm_split.kinds.kind import (
    FLOAT,
    INT16,
    Accumulator,
    Case,
    Channels,
    Kind,
    first_fault,
    mode_fault,
    output_range_fault,
)
from tflm_split.kinds.limits import MAX_SUMMED, MAX_SUMMED_INT16
from tflm_split.kinds.modes import MeanMode
from tflm_split.kinds.quantized import (
    FLOAT_LIMITS,
    INT8_VALUES,
    INT16_VALUES,
    INT_LIMITS,
    QUANTIZED_BLOCK,
    QUANTIZED_INT16_BLOCK,
    SHIFTS,
    float_constants,
    output_channels,
    quantized_constants,
    quantized_fault,
    quantized_int16_fault,
    shifts_fault,
    wide_shifts_fault,
)
from tflm_split.kinds.reads import SAME
from tflm_split.kinds.record import Field, Record

SUM_PARAMS = Record(
    "split_sum_params",
    "SUM_FEED: per channel, the sum over all rows and columns of the input view, then `mode`. PIXEL_SUM: per pixel, the "
    "sum over its channels, by mode MEAN; the output has one channel. ROW_SUM: per row and channel, the sum over its "
    "columns, by mode MEAN; the output has one column.",
    (
        Field("mode", "int32_t", "MeanMode"),
        Field("count", "int32_t", "pixels summed", (1, 2**31 - 1)),
        Field("bias", "int32_t", "MEAN: input_zero_point * count"),
        Field("multiplier", "int32_t"),
        Field("shift", "int32_t", "", SHIFTS),
        Field("output_zero_point", "int32_t"),
        *INT_LIMITS,
    ),
)
DENSE_PARAMS = Record(
    "split_dense_params",
    "DENSE_FEED: a FULLY_CONNECTED of batch 1 whose input arrives row by row. weights [out][input elements], the input "
    "flattened in row, column, channel order.",
    (QUANTIZED_BLOCK, Field("flags", "uint32_t", "WeightFlags")),
)
DENSE_INT16_PARAMS = Record(
    "split_dense_int16_params",
    "DENSE_FEED_INT16: DENSE_FEED of int16 by the arithmetic of CONV_INT16. An accumulator is an int64, in two int32 as the bias.",
    (QUANTIZED_INT16_BLOCK, Field("flags", "uint32_t", "WeightFlags")),
)
SUM_FLOAT_PARAMS = Record(
    "split_sum_float_params",
    "SUM_FEED_FLOAT: per channel, the sum over all pixels of the input in order, from 0, divided by `count`, then limited.",
    (Field("count", "float", ">= 1"), *FLOAT_LIMITS),
)
DENSE_FLOAT_PARAMS = Record(
    "split_dense_float_params",
    "DENSE_FEED_FLOAT: DENSE_FEED in float32, products added in the order of the input; bias and limits as CONV_FLOAT.",
    (
        *FLOAT_LIMITS,
        Field("bias_offset", "uint32_t", "float[outputs]"),
        Field("weights_offset", "uint32_t", "float[]; 16-aligned"),
    ),
)


def _one_pixel_fault(case: Case, sums_per_output: int = 1) -> str | None:
    """All rows add to one pixel, so the output is one, and the accumulator has its sums."""
    assert case.accumulator is not None
    if (case.output.row_count, case.output.column_count) != (1, 1):
        return f"its output is {list(case.output.shape)}, needs one row and one column"
    wanted = (1, 1, sums_per_output * case.output.channel_count)
    if case.accumulator.shape != wanted:
        return f"its accumulator is {list(case.accumulator.shape)}, needs {list(wanted)}"
    return None


def _same_channels_fault(case: Case) -> str | None:
    inputs, outputs = case.source.channel_count, case.output.channel_count
    return None if inputs == outputs else f"it sums {inputs} channels into {outputs}"


def _too_many_fault(case: Case, most: int) -> str | None:
    pixels = case.source.pixels
    return f"it sums {pixels} pixels, and {most} is the most" if pixels > most else None


def _zero_point_fault(case: Case, values: tuple[int, int]) -> str | None:
    zero_point = case.params["output_zero_point"]
    return None if values[0] <= zero_point <= values[1] else f"its output_zero_point is {zero_point}"


def _sum_fault(case: Case, most: int, values: tuple[int, int], modes: tuple[MeanMode, ...]) -> str | None:
    return first_fault(
        _one_pixel_fault(case),
        _same_channels_fault(case),
        mode_fault(case, modes),
        _too_many_fault(case, most),
        _zero_point_fault(case, values),
        output_range_fault(case, *values),
    )


def _sum_float_fault(case: Case) -> str | None:
    count = case.params["count"]
    too_few = None if count >= 1 else f"its count is {count}"
    return first_fault(_one_pixel_fault(case), _same_channels_fault(case), too_few, output_range_fault(case, -inf, inf))


def _pixel_sum_fault(case: Case) -> str | None:
    read, written = case.source.shape, case.output.shape
    if written != (*read[:2], 1):
        return f"it sums pixels of shape {list(read)} into {list(written)}"
    if read[2] > MAX_SUMMED:
        return f"it sums {read[2]} channels, and {MAX_SUMMED} is the most"
    return _mean_fault(case)


def _row_sum_fault(case: Case) -> str | None:
    """A row has at most 65,535 columns, so no sum leaves 32 bits."""
    read, written = case.source.shape, case.output.shape
    if written != (read[0], 1, read[2]):
        return f"it sums rows of shape {list(read)} into {list(written)}"
    return _mean_fault(case)


def _mean_fault(case: Case) -> str | None:
    """What ends a sum is a mean, of numbers in range."""
    return first_fault(
        mode_fault(case, (MeanMode.MEAN,)), _zero_point_fault(case, INT8_VALUES), output_range_fault(case, *INT8_VALUES)
    )


def _dense_weights(case: Case) -> int:
    return case.output.channel_count * case.source.elements


SUM_FEED = Kind(
    "SUM_FEED",
    SUM_PARAMS,
    reads=SAME,
    c_check="sum",
    c_run="sum_feed",
    check=lambda case: _sum_fault(case, MAX_SUMMED, INT8_VALUES, tuple(MeanMode)),
    accumulator=Accumulator.FEED,
    channels=Channels.SAME,
)
DENSE_FEED = Kind(
    "DENSE_FEED",
    DENSE_PARAMS,
    reads=SAME,
    c_check="dense",
    c_run="dense_feed",
    check=lambda case: first_fault(_one_pixel_fault(case), quantized_fault(case)),
    check_constants=shifts_fault,
    constants=quantized_constants(_dense_weights, output_channels),
    accumulator=Accumulator.FEED,
)
PIXEL_SUM = Kind(
    "PIXEL_SUM",
    SUM_PARAMS,
    reads=SAME,
    c_check="pixel_sum",
    c_run="pixel_sum",
    check=_pixel_sum_fault,
)
ROW_SUM = Kind(
    "ROW_SUM",
    SUM_PARAMS,
    reads=SAME,
    c_check="row_sum",
    c_run="row_sum",
    check=_row_sum_fault,
    channels=Channels.SAME,
)
SUM_FEED_INT16 = Kind(
    "SUM_FEED_INT16",
    SUM_PARAMS,
    reads=SAME,
    c_check="sum_int16",
    c_run="sum_feed_int16",
    check=lambda case: _sum_fault(case, MAX_SUMMED_INT16, INT16_VALUES, (MeanMode.AVERAGE_POOL, MeanMode.MEAN)),
    input_bytes=INT16,
    output_bytes=INT16,
    accumulator=Accumulator.FEED,
)
DENSE_FEED_INT16 = Kind(
    "DENSE_FEED_INT16",
    DENSE_INT16_PARAMS,
    reads=SAME,
    c_check="dense_int16",
    c_run="dense_feed_int16",
    check=lambda case: first_fault(_one_pixel_fault(case, 2), quantized_int16_fault(case)),
    check_constants=wide_shifts_fault,
    constants=quantized_constants(_dense_weights, output_channels, bias_bytes=8),
    input_bytes=INT16,
    output_bytes=INT16,
    accumulator=Accumulator.FEED,
)
SUM_FEED_FLOAT = Kind(
    "SUM_FEED_FLOAT",
    SUM_FLOAT_PARAMS,
    reads=SAME,
    c_check="sum_float",
    c_run="sum_feed_float",
    check=_sum_float_fault,
    input_bytes=FLOAT,
    output_bytes=FLOAT,
    accumulator=Accumulator.FEED,
)
DENSE_FEED_FLOAT = Kind(
    "DENSE_FEED_FLOAT",
    DENSE_FLOAT_PARAMS,
    reads=SAME,
    c_check="dense_float",
    c_run="dense_feed_float",
    check=lambda case: first_fault(_one_pixel_fault(case), output_range_fault(case, -inf, inf)),
    constants=float_constants(_dense_weights, output_channels),
    input_bytes=FLOAT,
    output_bytes=FLOAT,
    accumulator=Accumulator.FEED,
)
KINDS = (SUM_FEED, DENSE_FEED, PIXEL_SUM, ROW_SUM, SUM_FEED_INT16, DENSE_FEED_INT16, SUM_FEED_FLOAT, DENSE_FEED_FLOAT)
RECORDS = (SUM_PARAMS, DENSE_PARAMS, DENSE_INT16_PARAMS, SUM_FLOAT_PARAMS, DENSE_FLOAT_PARAMS)
