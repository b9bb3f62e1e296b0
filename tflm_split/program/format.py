"""The one owner of the program's byte format: what lies where in a `TFLM_SPLIT` program.

A program is one blob, little-endian, position-independent, read in place from flash. It starts with `HEADER`; every
`*_offset` is a byte offset from the blob's first byte, 4-aligned unless its comment says otherwise. The C header
`tflm_runtime_patch/split_nn/generated/split_nn_format.h` is generated from this file (`python -m tflm_split.program.c_header`)
and a test keeps it fresh.

    header | io records | storage records | view records | op records | parameter records | address tables | moves |
    moves in the order of their steps | steps | constants (weights, biases, multipliers, shifts, tables)

How it is executed (`split_nn/core/run.c`): for each step `(op, row)` in order, the op computes row `row` of its
output view, or, for an accumulating op (`SUM_FEED`, `DENSE_FEED`), takes in row `row` of its input view: row 0 clears
the accumulator first, the last row writes the output. `CONV_SUM` adds to row `row` of sums that several ops share.
Before a step, the rows that `MOVE` records name for it are copied to other addresses, where later steps find them.

* A *storage* is what is cut into pieces: `row_count` rows of `row_bytes` bytes. Each row has an address of its own, a
  byte offset into the workspace: `AFFINE` rows follow each other (model inputs and outputs), `TABLE16` looks a row up
  in a u16 table in units of 4 bytes, `TABLE32` in a u32 table in bytes, `CONSTANT` rows follow each other in the blob.
  A row that moves is where the last of its moves up to the present step has put it, and at the address above before.
  A storage with such rows has a table, and behind it u16[row_count + 1]: the number of each row's first move, and one more
  than that of the last row's last.
* A *view* is how an op sees a storage: rows `[first_row, first_row + row_count)`, in each row `column_count` pixels of
  `channel_count` elements, `pixel_stride_bytes` apart, starting `offset_bytes` into the row. RESHAPE, CONCATENATION
  and channel slices are views, not steps. A 1-D map (H = 1) is viewed with its W as rows.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

MAGIC = int.from_bytes(b"TSPL", "little")
VERSION = 3
NONE = 0xFFFF
"""Where a record names no view or storage."""
MAX_WINDOW_ROWS = 32
"""Input rows one step may read through a window (the executor keeps that many row pointers on its stack)."""
TABLE16_UNIT = 4
"""Bytes per unit of a `TABLE16` address."""
POSITIONS_PER_PIXEL = 1024
"""Units of a `RESIZE_BILINEAR` position."""
MOVE_ALIGN = 4
"""A move goes by a multiple of this many bytes, so that elements stay aligned."""
MOVES_BIT = 63
"""Of `SPLIT_NN_KINDS`: the build can move rows."""
MAX_SUMMED = 2**23
"""More int8 could overflow the int32 sum of `SUM_FEED` or `PIXEL_SUM`."""
NO_ADDRESS16 = 0xFFFF
NO_ADDRESS32 = 0xFFFFFFFF
"""Table entries of a row that has no address: no step may read or write it."""


class StorageKind(IntEnum):
    AFFINE = 0
    TABLE16 = 1
    TABLE32 = 2
    CONSTANT = 3


class StorageFlags(IntEnum):
    """Bits of `STORAGE.flags`."""

    MOVES = 1  # rows of this storage move


class OpKind(IntEnum):
    """What a step computes. Arithmetic: TFLM_FACTS.md section 5, bit for bit."""

    CONV = 0
    DEPTHWISE = 1
    AVERAGE_POOL = 2
    MAX_POOL = 3
    ADD = 4
    SUB = 5
    MUL = 6
    LUT = 7
    QUANTIZE_FLOAT = 8
    SOFTMAX = 9
    PAD = 10
    SUM_FEED = 11
    DENSE_FEED = 12
    TRANSPOSE_CONV = 13
    RESIZE_NEAREST = 14
    MINIMUM = 15
    MAXIMUM = 16
    SQUARED_DIFFERENCE = 17
    PRELU = 18
    PIXEL_SUM = 19
    RESIZE_BILINEAR = 20
    GATHER = 21
    DEPTH_TO_SPACE = 22
    # int16 activations with int8 weights
    CONV_INT16 = 28
    DEPTHWISE_INT16 = 29
    POOL_INT16 = 30
    BINARY_INT16 = 31
    UNARY_INT16 = 32
    SUM_FEED_INT16 = 33
    SOFTMAX_INT16 = 34
    # float32, summed in the order of TFLM's reference kernels
    CONV_FLOAT = 35
    DEPTHWISE_FLOAT = 36
    POOL_FLOAT = 37
    BINARY_FLOAT = 38
    UNARY_FLOAT = 39
    # between tokens
    BATCH_MATMUL = 40
    TRANSPOSE = 41
    # a convolution that takes its input channels group by group
    CONV_SUM = 43
    CONV_SUM_LAST = 44
    # the rest of both: op kinds before 60 had all been given out
    DENSE_FEED_INT16 = 60
    SUM_FEED_FLOAT = 61
    DENSE_FEED_FLOAT = 62


class Flags(IntEnum):
    """Bits of `HEADER.flags`."""

    WIDE_STEPS = 1  # a step is two u16 instead of two u8


class WeightFlags(IntEnum):
    """Bits of `CONV_PARAMS.flags`, `DENSE_PARAMS.flags` and `TRANSPOSE_CONV_PARAMS.flags`."""

    PER_CHANNEL = 1  # multipliers and shifts hold one entry per output channel; otherwise one entry in all
    SUMS_32 = 2  # int16 kinds only: sums wrap at 32 bits and are scaled as int32 (TFLM's choice when the bias is int32)
    FIRST = 4  # CONV_SUM only: the sums start with the bias instead of what the accumulator holds


class MeanMode(IntEnum):
    """How `SUM_FEED` turns a sum into the output."""

    AVERAGE_POOL = 0  # (sum + count/2) / count away from zero, clamp (reference_integer_ops::AveragePool)
    MEAN = 1  # MBQM(sum - bias, multiplier, shift) + output zero point, clamp (reference_ops::QuantizedMeanOrSum)
    MAXIMUM = 2  # SUM_FEED only: no sum but the largest, clamp (REDUCE_MAX)


class PoolMode(IntEnum):
    """What `POOL_INT16` and `POOL_FLOAT` make of a window."""

    AVERAGE = 0
    MAXIMUM = 1


class BinaryMode(IntEnum):
    """What `BINARY_INT16` and `BINARY_FLOAT` make of two numbers."""

    ADD = 0
    SUB = 1
    MUL = 2


class UnaryMode(IntEnum):
    """What `UNARY_INT16` (the first three) and `UNARY_FLOAT` (the others) make of one number."""

    REQUANTIZE = 0  # to another scale, with a slope of its own below the zero point
    FROM_FLOAT = 1  # float32 to int16
    TO_FLOAT = 2  # int16 to float32
    CLAMP = 3  # x > high ? high : x < low ? low : x
    LEAKY = 4  # x > 0 ? x : x * slope


@dataclass(frozen=True, slots=True)
class Field:
    """One scalar of a record. `ctype` is its C type; `comment` says what it means."""

    name: str
    ctype: str
    comment: str = ""


_CODES = {"uint8_t": "B", "int8_t": "b", "uint16_t": "H", "int16_t": "h", "uint32_t": "I", "int32_t": "i", "float": "f"}


@dataclass(frozen=True, slots=True)
class Block:
    """Fields that several records have in common: in C a struct of its own, member `name` of each of them."""

    name: str
    record: Record


@dataclass(frozen=True, slots=True)
class Record:
    """A fixed-size, naturally aligned, little-endian struct; its size is a multiple of 4 and without hidden padding."""

    name: str
    doc: str
    members: tuple[Field | Block, ...]

    @property
    def fields(self) -> tuple[Field, ...]:
        """Its scalars in order, a block's among them; no two have the same name."""
        return tuple(f for m in self.members for f in (m.record.fields if isinstance(m, Block) else (m,)))

    @property
    def layout(self) -> struct.Struct:
        return struct.Struct("<" + "".join(_CODES[f.ctype] for f in self.fields))

    @property
    def size_bytes(self) -> int:
        return self.layout.size

    def pack(self, **values: int | float) -> bytes:
        """The record's bytes; every field must be named, once. Raises struct.error when a value does not fit."""
        if values.keys() != {f.name for f in self.fields}:
            raise KeyError(f"{self.name}: {sorted(values.keys() ^ {f.name for f in self.fields})}")
        return self.layout.pack(*(values[f.name] for f in self.fields))

    def unpack(self, blob: bytes, offset: int) -> dict[str, int | float]:
        """The record at `offset` as a dict; raises struct.error when it does not lie inside `blob`."""
        values = self.layout.unpack_from(blob, offset)
        return {f.name: v for f, v in zip(self.fields, values, strict=True)}


HEADER = Record(
    "split_header",
    "First bytes of every program.",
    (
        Field("magic", "uint32_t", "'TSPL'"),
        Field("version", "uint16_t", "VERSION"),
        Field("flags", "uint16_t", "Flags"),
        Field("total_bytes", "uint32_t", "of the blob, constants included"),
        Field("workspace_bytes", "uint32_t", "RAM every address lies in, inputs and outputs included"),
        Field("io_offset", "uint32_t", "io records: inputs, then outputs"),
        Field("storages_offset", "uint32_t"),
        Field("views_offset", "uint32_t"),
        Field("ops_offset", "uint32_t"),
        Field(
            "moves_offset", "uint32_t", "move records, by storage, row and step; then u16[]: them in order of execution"
        ),
        Field("move_count", "uint32_t"),
        Field("steps_offset", "uint32_t"),
        Field("step_count", "uint32_t"),
        Field("constants_offset", "uint32_t", "all weights and tables lie in [constants_offset, total_bytes)"),
        Field("input_count", "uint16_t"),
        Field("output_count", "uint16_t"),
        Field("storage_count", "uint16_t"),
        Field("view_count", "uint16_t"),
        Field("op_count", "uint16_t"),
        Field("reserved", "uint16_t", "0"),
    ),
)

IO = Record(
    "split_io",
    "Where one input or output tensor of the region lies in the workspace.",
    (Field("address", "uint32_t", "byte offset into the workspace"), Field("bytes", "uint32_t")),
)

STORAGE = Record(
    "split_storage",
    "Rows and their addresses.",
    (
        Field(
            "where",
            "uint32_t",
            "AFFINE: workspace offset of row 0; TABLE*: blob offset of the table; CONSTANT: blob offset of row 0",
        ),
        Field("row_bytes", "uint32_t"),
        Field("row_count", "uint16_t"),
        Field("kind", "uint8_t", "StorageKind"),
        Field("flags", "uint8_t", "StorageFlags"),
    ),
)

MOVE = Record(
    "split_move",
    "Before step `step`, row `row` of storage `storage` goes to `address`; the two places may overlap. The moves of one "
    "step are carried out one after the other.",
    (
        Field("storage", "uint16_t"),
        Field("row", "uint16_t"),
        Field("step", "uint32_t"),
        Field("address", "uint32_t", "byte offset into the workspace; differs by a multiple of 4 from the row's first"),
    ),
)

MOVE_BYTES = MOVE.size_bytes + 2
"""What a move takes in a program, its turn included."""

VIEW = Record(
    "split_view",
    "How an op sees a storage.",
    (
        Field("storage", "uint16_t"),
        Field("first_row", "uint16_t"),
        Field("row_count", "uint16_t"),
        Field("column_count", "uint16_t", "pixels per row"),
        Field("channel_count", "uint32_t", "elements per pixel"),
        Field("pixel_stride_bytes", "uint32_t"),
        Field("offset_bytes", "uint32_t", "of pixel 0 within its row"),
        Field("element_bytes", "uint16_t", "1 (int8, uint8), 2 (int16) or 4 (int32, float)"),
        Field("reserved", "uint16_t", "0"),
    ),
)

OP = Record(
    "split_op",
    "One operator of the region.",
    (
        Field("kind", "uint16_t", "OpKind"),
        Field("output", "uint16_t", "view"),
        Field("input", "uint16_t", "view"),
        Field("input2", "uint16_t", "view of the second operand, or NONE"),
        Field(
            "accumulator",
            "uint16_t",
            "view of int32 partial sums: one row for *_FEED, a row per output row for CONV_SUM*; or NONE",
        ),
        Field("reserved", "uint16_t", "0"),
        Field("params_offset", "uint32_t"),
    ),
)

WINDOW = Record(
    "split_window_params",
    "What convolutions and pooling slide over their input. Every record with a window begins with it.",
    (
        Field("kernel_rows", "uint16_t", "1..MAX_WINDOW_ROWS"),
        Field("kernel_columns", "uint16_t"),
        Field("stride_rows", "uint16_t"),
        Field("stride_columns", "uint16_t"),
        Field("dilation_rows", "uint16_t"),
        Field("dilation_columns", "uint16_t"),
        Field(
            "pad_rows",
            "int16_t",
            "rows of padding above row 0: window row k of output row r reads r*stride - pad + k*dilation",
        ),
        Field("pad_columns", "int16_t"),
    ),
)
_WINDOW = Block("window", WINDOW)

QUANTIZED = Record(
    "split_quantized_params",
    "From int8 through int8 weights to int8: out = clamp(MBQM(acc, multiplier, shift) + output_zero_point).",
    (
        Field("input_zero_point", "int32_t", "what a tap outside the input reads"),
        Field("output_zero_point", "int32_t"),
        Field("output_min", "int32_t"),
        Field("output_max", "int32_t"),
        Field(
            "bias_offset",
            "uint32_t",
            "int32[channels out]: bias - input_zero_point * sum(weights of that channel); TRANSPOSE_CONV: the bias alone",
        ),
        Field("multipliers_offset", "uint32_t", "int32[], Q0.31"),
        Field("shifts_offset", "uint32_t", "int8[], > 0 is left; any alignment"),
        Field("weights_offset", "uint32_t", "int8[]; 16-aligned"),
    ),
)
_QUANTIZED = Block("quantized", QUANTIZED)

QUANTIZED_INT16 = Record(
    "split_quantized_int16_params",
    "From int16 through int8 weights to int16, by the arithmetic of CONV_INT16.",
    (
        Field("output_min", "int32_t"),
        Field("output_max", "int32_t"),
        Field("bias_offset", "uint32_t", "int32[2 * channels out]: each int64 as its low half, then its high half"),
        Field("multipliers_offset", "uint32_t", "int32[], Q0.31, >= 0"),
        Field("shifts_offset", "uint32_t", "int8[], > 0 is left, <= 7 unless SUMS_32; any alignment"),
        Field("weights_offset", "uint32_t", "int8[]; 16-aligned"),
    ),
)
_QUANTIZED_INT16 = Block("quantized", QUANTIZED_INT16)

_INT_LIMITS = (Field("output_min", "int32_t"), Field("output_max", "int32_t"))
_FLOAT_LIMITS = (Field("output_min", "float"), Field("output_max", "float"))

CONV_PARAMS = Record(
    "split_conv_params",
    "CONV (weights [out][kernel_rows][kernel_columns][in/groups]) and DEPTHWISE (weights [kernel_rows][kernel_columns][out]). "
    "acc = bias + sum(w * x), a tap outside the input reading input_zero_point; "
    "out = clamp(MBQM(acc, multiplier, shift) + output_zero_point). FULLY_CONNECTED is CONV with a 1x1 kernel. "
    "CONV_SUM adds one group of the input channels, as CONV with the weights of that group alone, to row `row` of the "
    "accumulator, which is its output too; CONV_SUM_LAST adds the last group and makes the output row of the sums.",
    (
        _WINDOW,
        _QUANTIZED,
        Field(
            "groups",
            "uint16_t",
            "CONV: groups; DEPTHWISE: depth multiplier (output channel c reads input channel c / multiplier)",
        ),
        Field("flags", "uint16_t", "WeightFlags"),
    ),
)

POOL_PARAMS = Record(
    "split_pool_params",
    "AVERAGE_POOL, MAX_POOL: taps outside the input do not count.",
    (_WINDOW, *_INT_LIMITS),
)

_BINARY_SCALING = (
    Field("left_shift", "int32_t"),
    Field("multiplier1", "int32_t"),
    Field("shift1", "int32_t"),
    Field("multiplier2", "int32_t"),
    Field("shift2", "int32_t"),
    Field("output_multiplier", "int32_t"),
    Field("output_shift", "int32_t"),
    *_INT_LIMITS,
)

BINARY_PARAMS = Record(
    "split_binary_params",
    "ADD, SUB: out = clamp(MBQM(MBQM((x1 - zp1) << left_shift, m1, s1) +- MBQM((x2 - zp2) << left_shift, m2, s2), mo, so) + zpo). "
    "MUL: out = clamp(MBQM((x1 - zp1) * (x2 - zp2), mo, so) + zpo). "
    "SQUARED_DIFFERENCE: as SUB, the difference squared (modulo 2^32) before the last MBQM. "
    "PRELU: d = x1 - zp1; out = clamp((d >= 0 ? MBQM(d, m1, s1) : MBQM(d * (x2 - zp2), m2, s2)) + zpo). "
    "MINIMUM, MAXIMUM: the smaller or larger byte, the rest of the record is 0. An operand view with one row, one "
    "column or one channel where the output has more is broadcast along that axis.",
    (
        Field("zero_point1", "int32_t"),
        Field("zero_point2", "int32_t"),
        Field("output_zero_point", "int32_t"),
        *_BINARY_SCALING,
    ),
)

LUT_PARAMS = Record(
    "split_lut_params",
    "Any element-wise function of one 8-bit input: out = table[(uint8)x], entries of the output view's element_bytes "
    "(1: activations, requantisation; 4: DEQUANTIZE).",
    (Field("table_offset", "uint32_t", "256 entries"),),
)

QUANTIZE_PARAMS = Record(
    "split_quantize_params",
    "QUANTIZE_FLOAT: out = clamp(round_half_away(x / scale) + zero_point), x and scale float32.",
    (
        Field("scale", "float"),
        Field("zero_point", "int32_t"),
        *_INT_LIMITS,
    ),
)

SOFTMAX_PARAMS = Record(
    "split_softmax_params",
    "Per pixel over its channels, int8 to int8 (reference_ops::Softmax): d = x - max; exps[-d] for -d < exp_count, "
    "else 0; sum with 12 integer bits; GetReciprocal; out = RoundingDivideByPOT(SRDHM(scale, exp), bits_over_unit + 31 - 8) - 128.",
    (
        Field("exps_offset", "uint32_t", "int32[exp_count]: exp_on_negative_values of the scaled difference -i, Q0.31"),
        Field("exp_count", "uint32_t", "1..256: differences below -(exp_count - 1) contribute nothing and give -128"),
    ),
)

PAD_PARAMS = Record(
    "split_pad_params",
    "PAD, and a copy where every pad is 0: the input lies `pad_*` from the output's start on each axis, `value` around it. "
    "Elements of more than one byte are padded with 0 only.",
    (
        Field("pad_rows", "uint16_t"),
        Field("pad_columns", "uint16_t"),
        Field("pad_channels", "uint16_t"),
        Field("value", "int16_t", "the byte around it, as int8"),
    ),
)

SUM_PARAMS = Record(
    "split_sum_params",
    "SUM_FEED: per channel, the sum over all rows and columns of the input view, then `mode`. PIXEL_SUM: per pixel, the "
    "sum over its channels, by mode MEAN; the output has one channel.",
    (
        Field("mode", "int32_t", "MeanMode"),
        Field("count", "int32_t", "pixels summed"),
        Field("bias", "int32_t", "MEAN: input_zero_point * count"),
        Field("multiplier", "int32_t"),
        Field("shift", "int32_t"),
        Field("output_zero_point", "int32_t"),
        *_INT_LIMITS,
    ),
)

DENSE_PARAMS = Record(
    "split_dense_params",
    "DENSE_FEED: a FULLY_CONNECTED of batch 1 whose input arrives row by row. weights [out][input elements], the input "
    "flattened in row, column, channel order.",
    (_QUANTIZED, Field("flags", "uint32_t", "WeightFlags")),
)

TRANSPOSE_CONV_PARAMS = Record(
    "split_transpose_conv_params",
    "TRANSPOSE_CONV (weights [out][kernel_rows][kernel_columns][in]): tap k of input row i adds to output row "
    "i*stride - pad + k, columns alike. acc = bias + sum(w * (x - input_zero_point)) over the taps that meet an input, "
    "then as CONV. How many taps that are varies from pixel to pixel, so the zero point is not folded into the bias.",
    (
        Field("kernel_rows", "uint16_t", "1..MAX_WINDOW_ROWS"),
        Field("kernel_columns", "uint16_t"),
        Field("stride_rows", "uint16_t"),
        Field("stride_columns", "uint16_t"),
        Field("pad_rows", "uint16_t"),
        Field("pad_columns", "uint16_t"),
        _QUANTIZED,
        Field("flags", "uint32_t", "WeightFlags"),
    ),
)

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

GATHER_PARAMS = Record(
    "split_gather_params",
    "GATHER: output row r is entry x of a constant table, x the one int32 of input row r; 0 below, entry_count - 1 above.",
    (
        Field("table_offset", "uint32_t", "int8[entry_count][output columns * output channels]"),
        Field("entry_count", "uint32_t", ">= 1"),
    ),
)

BLOCK_PARAMS = Record(
    "split_block_params",
    "DEPTH_TO_SPACE: output pixel (r, c) is part (r % block) * block + c % block of the channels of input pixel "
    "(r / block, c / block).",
    (Field("block", "uint32_t", ">= 1"),),
)

MATMUL_PARAMS = Record(
    "split_matmul_params",
    "BATCH_MATMUL: the output's pixels are the rows of a matrix per batch, and so are the operands'. Output row r belongs to "
    "batch r / left_rows, whose right operand is the right_rows rows from (batch * right_rows) % right view's rows on. "
    "out = clamp(MBQM(sum((x1 - zp1) * (x2 - zp2)), multiplier, shift) + output_zero_point): with `transposed`, channel n is "
    "the sum over the channels of the left pixel and the right operand's pixel n; without, channel c is the sum over the "
    "channels n of the left pixel and channel c of the right operand's pixel n.",
    (
        Field("left_zero_point", "int32_t"),
        Field("right_zero_point", "int32_t"),
        Field("output_zero_point", "int32_t"),
        Field("multiplier", "int32_t"),
        Field("shift", "int32_t"),
        Field("left_rows", "uint16_t", "of the output and the left operand, per batch"),
        Field("right_rows", "uint16_t", "of the right operand, per batch; it may be the same for all"),
        Field("transposed", "uint32_t", "0 or 1 (BATCH_MATMUL's adj_y)"),
    ),
)

TRANSPOSE_PARAMS = Record(
    "split_transpose_params",
    "TRANSPOSE: the output's rows, columns and channels are these axes of the input, 0 its rows, 1 its columns, 2 its "
    "channels. Output rows that are not the input's read all of them.",
    (
        Field("row_axis", "uint32_t"),
        Field("column_axis", "uint32_t"),
        Field("channel_axis", "uint32_t"),
    ),
)

CONV_INT16_PARAMS = Record(
    "split_conv_int16_params",
    "CONV_INT16, DEPTHWISE_INT16: int16 in and out without zero points, int8 weights as for CONV and DEPTHWISE. "
    "acc = bias + sum(w * x) in int64, taps outside the input add nothing; out = clamp(MBQM64(acc, multiplier, shift)), "
    "or with SUMS_32 clamp(MBQM((int32)acc, multiplier, shift)).",
    (
        _WINDOW,
        _QUANTIZED_INT16,
        Field("groups", "uint16_t", "as in split_conv_params"),
        Field("flags", "uint16_t", "WeightFlags"),
    ),
)

DENSE_INT16_PARAMS = Record(
    "split_dense_int16_params",
    "DENSE_FEED_INT16: DENSE_FEED of int16 by the arithmetic of CONV_INT16. An accumulator is an int64, in two int32 as the bias.",
    (_QUANTIZED_INT16, Field("flags", "uint32_t", "WeightFlags")),
)

POOL_INT16_PARAMS = Record(
    "split_pool_int16_params",
    "POOL_INT16: taps outside the input do not count.",
    (_WINDOW, *_INT_LIMITS, Field("mode", "int32_t", "PoolMode")),
)

BINARY_INT16_PARAMS = Record(
    "split_binary_int16_params",
    "BINARY_INT16: the arithmetic and broadcasting of split_binary_params on int16 without zero points.",
    (Field("mode", "int32_t", "BinaryMode"), *_BINARY_SCALING),
)

UNARY_INT16_PARAMS = Record(
    "split_unary_int16_params",
    "UNARY_INT16, element by element. REQUANTIZE (int8 or int16 to int8 or int16), with d = x - input_zero_point: "
    "out = clamp(MBQM(d, multiplier, shift) + output_zero_point), by negative_* where d < 0. "
    "FROM_FLOAT: out = clamp(round_half_away(x / scale) + output_zero_point). TO_FLOAT: out = (x - input_zero_point) * scale.",
    (
        Field("mode", "int32_t", "UnaryMode"),
        Field("input_zero_point", "int32_t"),
        Field("output_zero_point", "int32_t"),
        Field("multiplier", "int32_t"),
        Field("shift", "int32_t"),
        Field("negative_multiplier", "int32_t"),
        Field("negative_shift", "int32_t"),
        *_INT_LIMITS,
        Field("scale", "float", "finite, > 0"),
    ),
)

SOFTMAX_INT16_PARAMS = Record(
    "split_softmax_int16_params",
    "SOFTMAX_INT16 (reference_ops::SoftmaxInt16): d = MBQM(x - max, multiplier, shift) + 32767, saturated to int16; "
    "exp = exps[d], interpolated; out = exp * reciprocals[sum of exps, scaled], clamped to [0, 32767].",
    (
        Field("exps_table_offset", "uint32_t", "int16[513]: exp(x), x from -10 to 0, Q0.15"),
        Field("reciprocals_table_offset", "uint32_t", "int16[513]: 1 / (1 + x), x from 0 to 1, Q0.15"),
        Field("multiplier", "int32_t"),
        Field("shift", "int32_t"),
    ),
)

CONV_FLOAT_PARAMS = Record(
    "split_conv_float_params",
    "CONV_FLOAT, DEPTHWISE_FLOAT: as CONV and DEPTHWISE in float32. total = sum(x * w) over the taps inside the input by "
    "row, column and channel, from 0, each product and each sum rounded; out = min(max(total + bias, output_min), output_max).",
    (
        _WINDOW,
        *_FLOAT_LIMITS,
        Field("bias_offset", "uint32_t", "float[channels out]"),
        Field("weights_offset", "uint32_t", "float[]; 16-aligned"),
        Field("groups", "uint16_t", "as in split_conv_params"),
        Field("flags", "uint16_t", "0"),
    ),
)

DENSE_FLOAT_PARAMS = Record(
    "split_dense_float_params",
    "DENSE_FEED_FLOAT: DENSE_FEED in float32, products added in the order of the input; bias and limits as CONV_FLOAT.",
    (
        *_FLOAT_LIMITS,
        Field("bias_offset", "uint32_t", "float[outputs]"),
        Field("weights_offset", "uint32_t", "float[]; 16-aligned"),
    ),
)

POOL_FLOAT_PARAMS = Record(
    "split_pool_float_params",
    "POOL_FLOAT: taps outside the input do not count; sums by row and column, then one division.",
    (_WINDOW, *_FLOAT_LIMITS, Field("mode", "int32_t", "PoolMode")),
)

BINARY_FLOAT_PARAMS = Record(
    "split_binary_float_params",
    "BINARY_FLOAT: out = min(max(a op b, output_min), output_max), operands broadcast as in split_binary_params.",
    (Field("mode", "int32_t", "BinaryMode"), *_FLOAT_LIMITS),
)

UNARY_FLOAT_PARAMS = Record(
    "split_unary_float_params",
    "UNARY_FLOAT, element by element, by mode.",
    (
        Field("mode", "int32_t", "UnaryMode"),
        Field("low", "float"),
        Field("high", "float"),
        Field("slope", "float"),
    ),
)

SUM_FLOAT_PARAMS = Record(
    "split_sum_float_params",
    "SUM_FEED_FLOAT: per channel, the sum over all pixels of the input in order, from 0, divided by `count`, then limited.",
    (Field("count", "float", ">= 1"), *_FLOAT_LIMITS),
)

PARAMS_OF = {
    OpKind.CONV: CONV_PARAMS,
    OpKind.DEPTHWISE: CONV_PARAMS,
    OpKind.AVERAGE_POOL: POOL_PARAMS,
    OpKind.MAX_POOL: POOL_PARAMS,
    OpKind.ADD: BINARY_PARAMS,
    OpKind.SUB: BINARY_PARAMS,
    OpKind.MUL: BINARY_PARAMS,
    OpKind.LUT: LUT_PARAMS,
    OpKind.QUANTIZE_FLOAT: QUANTIZE_PARAMS,
    OpKind.SOFTMAX: SOFTMAX_PARAMS,
    OpKind.PAD: PAD_PARAMS,
    OpKind.SUM_FEED: SUM_PARAMS,
    OpKind.DENSE_FEED: DENSE_PARAMS,
    OpKind.TRANSPOSE_CONV: TRANSPOSE_CONV_PARAMS,
    OpKind.RESIZE_NEAREST: RESIZE_PARAMS,
    OpKind.MINIMUM: BINARY_PARAMS,
    OpKind.MAXIMUM: BINARY_PARAMS,
    OpKind.SQUARED_DIFFERENCE: BINARY_PARAMS,
    OpKind.PRELU: BINARY_PARAMS,
    OpKind.PIXEL_SUM: SUM_PARAMS,
    OpKind.RESIZE_BILINEAR: BILINEAR_PARAMS,
    OpKind.GATHER: GATHER_PARAMS,
    OpKind.DEPTH_TO_SPACE: BLOCK_PARAMS,
    OpKind.CONV_INT16: CONV_INT16_PARAMS,
    OpKind.DEPTHWISE_INT16: CONV_INT16_PARAMS,
    OpKind.POOL_INT16: POOL_INT16_PARAMS,
    OpKind.BINARY_INT16: BINARY_INT16_PARAMS,
    OpKind.UNARY_INT16: UNARY_INT16_PARAMS,
    OpKind.SUM_FEED_INT16: SUM_PARAMS,
    OpKind.SOFTMAX_INT16: SOFTMAX_INT16_PARAMS,
    OpKind.CONV_FLOAT: CONV_FLOAT_PARAMS,
    OpKind.DEPTHWISE_FLOAT: CONV_FLOAT_PARAMS,
    OpKind.POOL_FLOAT: POOL_FLOAT_PARAMS,
    OpKind.BINARY_FLOAT: BINARY_FLOAT_PARAMS,
    OpKind.UNARY_FLOAT: UNARY_FLOAT_PARAMS,
    OpKind.BATCH_MATMUL: MATMUL_PARAMS,
    OpKind.TRANSPOSE: TRANSPOSE_PARAMS,
    OpKind.CONV_SUM: CONV_PARAMS,
    OpKind.CONV_SUM_LAST: CONV_PARAMS,
    OpKind.DENSE_FEED_INT16: DENSE_INT16_PARAMS,
    OpKind.SUM_FEED_FLOAT: SUM_FLOAT_PARAMS,
    OpKind.DENSE_FEED_FLOAT: DENSE_FLOAT_PARAMS,
}

RECORDS = (
    HEADER, IO, STORAGE, MOVE, VIEW, OP, WINDOW, QUANTIZED, QUANTIZED_INT16,
    CONV_PARAMS, POOL_PARAMS, BINARY_PARAMS, LUT_PARAMS, QUANTIZE_PARAMS, SOFTMAX_PARAMS,
    PAD_PARAMS, SUM_PARAMS, DENSE_PARAMS, TRANSPOSE_CONV_PARAMS, RESIZE_PARAMS, BILINEAR_PARAMS, GATHER_PARAMS,
    BLOCK_PARAMS, MATMUL_PARAMS, TRANSPOSE_PARAMS,
    CONV_INT16_PARAMS, DENSE_INT16_PARAMS, POOL_INT16_PARAMS,
    BINARY_INT16_PARAMS, UNARY_INT16_PARAMS, SOFTMAX_INT16_PARAMS, CONV_FLOAT_PARAMS, DENSE_FLOAT_PARAMS,
    POOL_FLOAT_PARAMS, BINARY_FLOAT_PARAMS, UNARY_FLOAT_PARAMS, SUM_FLOAT_PARAMS,
)  # fmt: skip
