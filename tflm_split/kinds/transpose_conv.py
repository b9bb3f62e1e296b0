"""TRANSPOSE_CONV of int8 and of int16."""

from __future__ import annotations

from collections.abc import Iterator

from tflm_split.kinds.kind import INT16, Case, Channels, Kind, Reads, Row, first_fault
from tflm_split.kinds.quantized import (
    QUANTIZED_BLOCK,
    QUANTIZED_INT16_BLOCK,
    output_channels,
    quantized_constants,
    quantized_fault,
    quantized_int16_fault,
    shifts_fault,
    wide_shifts_fault,
)
from tflm_split.kinds.record import Block, Field, Record
from tflm_split.kinds.window import height_fault

_U16 = (1, 0xFFFF)

TRANSPOSED_WINDOW = Record(
    "split_transposed_window_params",
    "What a transposed convolution lays over its output: tap k of input row i falls on output row i*stride - pad + k.",
    (
        Field("kernel_rows", "uint16_t", "1..SPLIT_MAX_WINDOW_ROWS", _U16),
        Field("kernel_columns", "uint16_t", "", _U16),
        Field("stride_rows", "uint16_t", "", _U16),
        Field("stride_columns", "uint16_t", "", _U16),
        Field("pad_rows", "uint16_t"),
        Field("pad_columns", "uint16_t"),
    ),
)
_WINDOW = Block("window", TRANSPOSED_WINDOW)

TRANSPOSE_CONV_PARAMS = Record(
    "split_transpose_conv_params",
    "TRANSPOSE_CONV (weights [out][kernel_rows][kernel_columns][in]): tap k of input row i adds to output row "
    "i*stride - pad + k, columns alike. acc = bias + sum(w * (x - input_zero_point)) over the taps that meet an input, "
    "then as CONV. How many taps that are varies from pixel to pixel, so the zero point is not folded into the bias.",
    (_WINDOW, QUANTIZED_BLOCK, Field("flags", "uint32_t", "WeightFlags")),
)

TRANSPOSE_CONV_INT16_PARAMS = Record(
    "split_transpose_conv_int16_params",
    "TRANSPOSE_CONV_INT16: TRANSPOSE_CONV by the arithmetic of CONV_INT16; there are no zero points.",
    (_WINDOW, QUANTIZED_INT16_BLOCK, Field("flags", "uint32_t", "WeightFlags")),
)


def _rows(case: Case, row: int) -> Iterator[Row]:
    for k in range(case.number("kernel_rows")):
        tap, rest = divmod(row + case.number("pad_rows") - k, case.number("stride_rows"))
        if rest == 0 and 0 <= tap < case.source.row_count:
            yield Row(0, tap)


TRANSPOSED_ROWS = Reads("transposed_window", _rows)


def transposed_weights(case: Case) -> int:
    """How many weights there are: [out][kernel_rows][kernel_columns][in]."""
    positions = case.number("kernel_rows") * case.number("kernel_columns")
    return case.output.channel_count * positions * case.source.channel_count


TRANSPOSE_CONV = Kind(
    "TRANSPOSE_CONV",
    TRANSPOSE_CONV_PARAMS,
    reads=TRANSPOSED_ROWS,
    c_check="transpose_conv",
    c_run="transpose_conv",
    check=lambda case: first_fault(height_fault(case), quantized_fault(case)),
    check_constants=shifts_fault,
    constants=quantized_constants(transposed_weights, output_channels),
    channels=Channels.FILTERS,
)
TRANSPOSE_CONV_INT16 = Kind(
    "TRANSPOSE_CONV_INT16",
    TRANSPOSE_CONV_INT16_PARAMS,
    reads=TRANSPOSED_ROWS,
    c_check="transpose_conv_int16",
    c_run="transpose_conv_int16",
    check=lambda case: first_fault(height_fault(case), quantized_int16_fault(case)),
    check_constants=wide_shifts_fault,
    constants=quantized_constants(transposed_weights, output_channels, bias_bytes=8),
    input_bytes=INT16,
    output_bytes=INT16,
)
KINDS = (TRANSPOSE_CONV, TRANSPOSE_CONV_INT16)
RECORDS = (TRANSPOSED_WINDOW, TRANSPOSE_CONV_PARAMS, TRANSPOSE_CONV_INT16_PARAMS)
