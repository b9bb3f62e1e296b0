/* The byte format of a TFLM_SPLIT program: generated from tflm_split/program/format.py by
 * `python -m tflm_split.program.c_header`; edit that file, not this one. Valid in C99 and C++11.
 *
 * Every record is little-endian, naturally aligned and without padding, so a program that starts at a
 * 4-aligned address is read in place on a little-endian machine. */
/* clang-format off */
#ifndef SPLIT_NN_FORMAT_H_
#define SPLIT_NN_FORMAT_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SPLIT_MAGIC 0x4C505354u /* the bytes 'T' 'S' 'P' 'L' */
#define SPLIT_VERSION 3u
#define SPLIT_NONE 0xFFFFu /* names no view */
#define SPLIT_NO_ADDRESS16 0xFFFFu /* TABLE16: this row has no address */
#define SPLIT_NO_ADDRESS32 0xFFFFFFFFu /* TABLE32: this row has no address */
#define SPLIT_MAX_WINDOW_ROWS 32 /* input rows one step may read through a window */
#define SPLIT_POSITIONS_PER_PIXEL 1024u /* units of a RESIZE_BILINEAR position */
#define SPLIT_MOVE_ALIGN 4u /* moves go by multiples of this many bytes */
#define SPLIT_MOVES_BIT 63 /* of SPLIT_NN_KINDS: this build can move rows */
#define SPLIT_MAX_SUMMED 8388608u /* int8 that may be added up */
#define SPLIT_TABLE16_UNIT 4u /* bytes per unit of a TABLE16 address */

enum {
    SPLIT_STORAGE_AFFINE = 0,
    SPLIT_STORAGE_TABLE16 = 1,
    SPLIT_STORAGE_TABLE32 = 2,
    SPLIT_STORAGE_CONSTANT = 3,
};

/* Bits of `STORAGE.flags`. */
enum {
    SPLIT_STORAGE_MOVES = 1,
};

/* What a step computes. Arithmetic: TFLM_FACTS.md section 5, bit for bit. */
enum {
    SPLIT_OP_CONV = 0,
    SPLIT_OP_DEPTHWISE = 1,
    SPLIT_OP_AVERAGE_POOL = 2,
    SPLIT_OP_MAX_POOL = 3,
    SPLIT_OP_ADD = 4,
    SPLIT_OP_SUB = 5,
    SPLIT_OP_MUL = 6,
    SPLIT_OP_LUT = 7,
    SPLIT_OP_QUANTIZE_FLOAT = 8,
    SPLIT_OP_SOFTMAX = 9,
    SPLIT_OP_PAD = 10,
    SPLIT_OP_SUM_FEED = 11,
    SPLIT_OP_DENSE_FEED = 12,
    SPLIT_OP_TRANSPOSE_CONV = 13,
    SPLIT_OP_RESIZE_NEAREST = 14,
    SPLIT_OP_MINIMUM = 15,
    SPLIT_OP_MAXIMUM = 16,
    SPLIT_OP_SQUARED_DIFFERENCE = 17,
    SPLIT_OP_PRELU = 18,
    SPLIT_OP_PIXEL_SUM = 19,
    SPLIT_OP_RESIZE_BILINEAR = 20,
    SPLIT_OP_GATHER = 21,
    SPLIT_OP_DEPTH_TO_SPACE = 22,
    SPLIT_OP_CONV_INT16 = 28,
    SPLIT_OP_DEPTHWISE_INT16 = 29,
    SPLIT_OP_POOL_INT16 = 30,
    SPLIT_OP_BINARY_INT16 = 31,
    SPLIT_OP_UNARY_INT16 = 32,
    SPLIT_OP_SUM_FEED_INT16 = 33,
    SPLIT_OP_SOFTMAX_INT16 = 34,
    SPLIT_OP_CONV_FLOAT = 35,
    SPLIT_OP_DEPTHWISE_FLOAT = 36,
    SPLIT_OP_POOL_FLOAT = 37,
    SPLIT_OP_BINARY_FLOAT = 38,
    SPLIT_OP_UNARY_FLOAT = 39,
    SPLIT_OP_BATCH_MATMUL = 40,
    SPLIT_OP_TRANSPOSE = 41,
    SPLIT_OP_CONV_SUM = 43,
    SPLIT_OP_CONV_SUM_LAST = 44,
    SPLIT_OP_DENSE_FEED_INT16 = 60,
    SPLIT_OP_SUM_FEED_FLOAT = 61,
    SPLIT_OP_DENSE_FEED_FLOAT = 62,
};

/* Bits of `HEADER.flags`. */
enum {
    SPLIT_FLAG_WIDE_STEPS = 1,
};

/* Bits of `CONV_PARAMS.flags`, `DENSE_PARAMS.flags` and `TRANSPOSE_CONV_PARAMS.flags`. */
enum {
    SPLIT_WEIGHT_PER_CHANNEL = 1,
    SPLIT_WEIGHT_SUMS_32 = 2,
    SPLIT_WEIGHT_FIRST = 4,
};

/* How `SUM_FEED` turns a sum into the output. */
enum {
    SPLIT_MEAN_AVERAGE_POOL = 0,
    SPLIT_MEAN_MEAN = 1,
    SPLIT_MEAN_MAXIMUM = 2,
};

/* What `POOL_INT16` and `POOL_FLOAT` make of a window. */
enum {
    SPLIT_POOL_AVERAGE = 0,
    SPLIT_POOL_MAXIMUM = 1,
};

/* What `BINARY_INT16` and `BINARY_FLOAT` make of two numbers. */
enum {
    SPLIT_BINARY_ADD = 0,
    SPLIT_BINARY_SUB = 1,
    SPLIT_BINARY_MUL = 2,
};

/* What `UNARY_INT16` (the first three) and `UNARY_FLOAT` (the others) make of one number. */
enum {
    SPLIT_UNARY_REQUANTIZE = 0,
    SPLIT_UNARY_FROM_FLOAT = 1,
    SPLIT_UNARY_TO_FLOAT = 2,
    SPLIT_UNARY_CLAMP = 3,
    SPLIT_UNARY_LEAKY = 4,
};

/* First bytes of every program. */
typedef struct split_header {
    uint32_t magic; /* 'TSPL' */
    uint16_t version; /* VERSION */
    uint16_t flags; /* Flags */
    uint32_t total_bytes; /* of the blob, constants included */
    uint32_t workspace_bytes; /* RAM every address lies in, inputs and outputs included */
    uint32_t io_offset; /* io records: inputs, then outputs */
    uint32_t storages_offset;
    uint32_t views_offset;
    uint32_t ops_offset;
    /* move records, by storage, row and step; then u16[]: them in order of execution */
    uint32_t moves_offset;
    uint32_t move_count;
    uint32_t steps_offset;
    uint32_t step_count;
    uint32_t constants_offset; /* all weights and tables lie in [constants_offset, total_bytes) */
    uint16_t input_count;
    uint16_t output_count;
    uint16_t storage_count;
    uint16_t view_count;
    uint16_t op_count;
    uint16_t reserved; /* 0 */
} split_header;
typedef char split_header_is_64_bytes[sizeof(split_header) == 64 ? 1 : -1];

/* Where one input or output tensor of the region lies in the workspace. */
typedef struct split_io {
    uint32_t address; /* byte offset into the workspace */
    uint32_t bytes;
} split_io;
typedef char split_io_is_8_bytes[sizeof(split_io) == 8 ? 1 : -1];

/* Rows and their addresses. */
typedef struct split_storage {
    /* AFFINE: workspace offset of row 0; TABLE*: blob offset of the table; CONSTANT: blob offset of row 0 */
    uint32_t where;
    uint32_t row_bytes;
    uint16_t row_count;
    uint8_t kind; /* StorageKind */
    uint8_t flags; /* StorageFlags */
} split_storage;
typedef char split_storage_is_12_bytes[sizeof(split_storage) == 12 ? 1 : -1];

/* Before step `step`, row `row` of storage `storage` goes to `address`; the two places may overlap. The
 * moves of one step are carried out one after the other. */
typedef struct split_move {
    uint16_t storage;
    uint16_t row;
    uint32_t step;
    uint32_t address; /* byte offset into the workspace; differs by a multiple of 4 from the row's first */
} split_move;
typedef char split_move_is_12_bytes[sizeof(split_move) == 12 ? 1 : -1];

/* How an op sees a storage. */
typedef struct split_view {
    uint16_t storage;
    uint16_t first_row;
    uint16_t row_count;
    uint16_t column_count; /* pixels per row */
    uint32_t channel_count; /* elements per pixel */
    uint32_t pixel_stride_bytes;
    uint32_t offset_bytes; /* of pixel 0 within its row */
    uint16_t element_bytes; /* 1 (int8, uint8), 2 (int16) or 4 (int32, float) */
    uint16_t reserved; /* 0 */
} split_view;
typedef char split_view_is_24_bytes[sizeof(split_view) == 24 ? 1 : -1];

/* One operator of the region. */
typedef struct split_op {
    uint16_t kind; /* OpKind */
    uint16_t output; /* view */
    uint16_t input; /* view */
    uint16_t input2; /* view of the second operand, or NONE */
    /* view of int32 partial sums: one row for *_FEED, a row per output row for CONV_SUM*; or NONE */
    uint16_t accumulator;
    uint16_t reserved; /* 0 */
    uint32_t params_offset;
} split_op;
typedef char split_op_is_16_bytes[sizeof(split_op) == 16 ? 1 : -1];

/* What convolutions and pooling slide over their input. Every record with a window begins with it. */
typedef struct split_window_params {
    uint16_t kernel_rows; /* 1..MAX_WINDOW_ROWS */
    uint16_t kernel_columns;
    uint16_t stride_rows;
    uint16_t stride_columns;
    uint16_t dilation_rows;
    uint16_t dilation_columns;
    /* rows of padding above row 0: window row k of output row r reads r*stride - pad + k*dilation */
    int16_t pad_rows;
    int16_t pad_columns;
} split_window_params;
typedef char split_window_params_is_16_bytes[sizeof(split_window_params) == 16 ? 1 : -1];

/* From int8 through int8 weights to int8: out = clamp(MBQM(acc, multiplier, shift) + output_zero_point). */
typedef struct split_quantized_params {
    int32_t input_zero_point; /* what a tap outside the input reads */
    int32_t output_zero_point;
    int32_t output_min;
    int32_t output_max;
    /* int32[channels out]: bias - input_zero_point * sum(weights of that channel); TRANSPOSE_CONV: the bias
     * alone */
    uint32_t bias_offset;
    uint32_t multipliers_offset; /* int32[], Q0.31 */
    uint32_t shifts_offset; /* int8[], > 0 is left; any alignment */
    uint32_t weights_offset; /* int8[]; 16-aligned */
} split_quantized_params;
typedef char split_quantized_params_is_32_bytes[sizeof(split_quantized_params) == 32 ? 1 : -1];

/* From int16 through int8 weights to int16, by the arithmetic of CONV_INT16. */
typedef struct split_quantized_int16_params {
    int32_t output_min;
    int32_t output_max;
    uint32_t bias_offset; /* int32[2 * channels out]: each int64 as its low half, then its high half */
    uint32_t multipliers_offset; /* int32[], Q0.31, >= 0 */
    uint32_t shifts_offset; /* int8[], > 0 is left, <= 7 unless SUMS_32; any alignment */
    uint32_t weights_offset; /* int8[]; 16-aligned */
} split_quantized_int16_params;
typedef char split_quantized_int16_params_is_24_bytes[sizeof(split_quantized_int16_params) == 24 ? 1 : -1];

/* CONV (weights [out][kernel_rows][kernel_columns][in/groups]) and DEPTHWISE (weights
 * [kernel_rows][kernel_columns][out]). acc = bias + sum(w * x), a tap outside the input reading
 * input_zero_point; out = clamp(MBQM(acc, multiplier, shift) + output_zero_point). FULLY_CONNECTED is CONV
 * with a 1x1 kernel. CONV_SUM adds one group of the input channels, as CONV with the weights of that group
 * alone, to row `row` of the accumulator, which is its output too; CONV_SUM_LAST adds the last group and
 * makes the output row of the sums. */
typedef struct split_conv_params {
    split_window_params window;
    split_quantized_params quantized;
    /* CONV: groups; DEPTHWISE: depth multiplier (output channel c reads input channel c / multiplier) */
    uint16_t groups;
    uint16_t flags; /* WeightFlags */
} split_conv_params;
typedef char split_conv_params_is_52_bytes[sizeof(split_conv_params) == 52 ? 1 : -1];

/* AVERAGE_POOL, MAX_POOL: taps outside the input do not count. */
typedef struct split_pool_params {
    split_window_params window;
    int32_t output_min;
    int32_t output_max;
} split_pool_params;
typedef char split_pool_params_is_24_bytes[sizeof(split_pool_params) == 24 ? 1 : -1];

/* ADD, SUB: out = clamp(MBQM(MBQM((x1 - zp1) << left_shift, m1, s1) +- MBQM((x2 - zp2) << left_shift, m2,
 * s2), mo, so) + zpo). MUL: out = clamp(MBQM((x1 - zp1) * (x2 - zp2), mo, so) + zpo). SQUARED_DIFFERENCE:
 * as SUB, the difference squared (modulo 2^32) before the last MBQM. PRELU: d = x1 - zp1; out = clamp((d >=
 * 0 ? MBQM(d, m1, s1) : MBQM(d * (x2 - zp2), m2, s2)) + zpo). MINIMUM, MAXIMUM: the smaller or larger byte,
 * the rest of the record is 0. An operand view with one row, one column or one channel where the output has
 * more is broadcast along that axis. */
typedef struct split_binary_params {
    int32_t zero_point1;
    int32_t zero_point2;
    int32_t output_zero_point;
    int32_t left_shift;
    int32_t multiplier1;
    int32_t shift1;
    int32_t multiplier2;
    int32_t shift2;
    int32_t output_multiplier;
    int32_t output_shift;
    int32_t output_min;
    int32_t output_max;
} split_binary_params;
typedef char split_binary_params_is_48_bytes[sizeof(split_binary_params) == 48 ? 1 : -1];

/* Any element-wise function of one 8-bit input: out = table[(uint8)x], entries of the output view's
 * element_bytes (1: activations, requantisation; 4: DEQUANTIZE). */
typedef struct split_lut_params {
    uint32_t table_offset; /* 256 entries */
} split_lut_params;
typedef char split_lut_params_is_4_bytes[sizeof(split_lut_params) == 4 ? 1 : -1];

/* QUANTIZE_FLOAT: out = clamp(round_half_away(x / scale) + zero_point), x and scale float32. */
typedef struct split_quantize_params {
    float scale;
    int32_t zero_point;
    int32_t output_min;
    int32_t output_max;
} split_quantize_params;
typedef char split_quantize_params_is_16_bytes[sizeof(split_quantize_params) == 16 ? 1 : -1];

/* Per pixel over its channels, int8 to int8 (reference_ops::Softmax): d = x - max; exps[-d] for -d <
 * exp_count, else 0; sum with 12 integer bits; GetReciprocal; out = RoundingDivideByPOT(SRDHM(scale, exp),
 * bits_over_unit + 31 - 8) - 128. */
typedef struct split_softmax_params {
    uint32_t exps_offset; /* int32[exp_count]: exp_on_negative_values of the scaled difference -i, Q0.31 */
    uint32_t exp_count; /* 1..256: differences below -(exp_count - 1) contribute nothing and give -128 */
} split_softmax_params;
typedef char split_softmax_params_is_8_bytes[sizeof(split_softmax_params) == 8 ? 1 : -1];

/* PAD, and a copy where every pad is 0: the input lies `pad_*` from the output's start on each axis,
 * `value` around it. Elements of more than one byte are padded with 0 only. */
typedef struct split_pad_params {
    uint16_t pad_rows;
    uint16_t pad_columns;
    uint16_t pad_channels;
    int16_t value; /* the byte around it, as int8 */
} split_pad_params;
typedef char split_pad_params_is_8_bytes[sizeof(split_pad_params) == 8 ? 1 : -1];

/* SUM_FEED: per channel, the sum over all rows and columns of the input view, then `mode`. PIXEL_SUM: per
 * pixel, the sum over its channels, by mode MEAN; the output has one channel. */
typedef struct split_sum_params {
    int32_t mode; /* MeanMode */
    int32_t count; /* pixels summed */
    int32_t bias; /* MEAN: input_zero_point * count */
    int32_t multiplier;
    int32_t shift;
    int32_t output_zero_point;
    int32_t output_min;
    int32_t output_max;
} split_sum_params;
typedef char split_sum_params_is_32_bytes[sizeof(split_sum_params) == 32 ? 1 : -1];

/* DENSE_FEED: a FULLY_CONNECTED of batch 1 whose input arrives row by row. weights [out][input elements],
 * the input flattened in row, column, channel order. */
typedef struct split_dense_params {
    split_quantized_params quantized;
    uint32_t flags; /* WeightFlags */
} split_dense_params;
typedef char split_dense_params_is_36_bytes[sizeof(split_dense_params) == 36 ? 1 : -1];

/* TRANSPOSE_CONV (weights [out][kernel_rows][kernel_columns][in]): tap k of input row i adds to output row
 * i*stride - pad + k, columns alike. acc = bias + sum(w * (x - input_zero_point)) over the taps that meet
 * an input, then as CONV. How many taps that are varies from pixel to pixel, so the zero point is not
 * folded into the bias. */
typedef struct split_transpose_conv_params {
    uint16_t kernel_rows; /* 1..MAX_WINDOW_ROWS */
    uint16_t kernel_columns;
    uint16_t stride_rows;
    uint16_t stride_columns;
    uint16_t pad_rows;
    uint16_t pad_columns;
    split_quantized_params quantized;
    uint32_t flags; /* WeightFlags */
} split_transpose_conv_params;
typedef char split_transpose_conv_params_is_48_bytes[sizeof(split_transpose_conv_params) == 48 ? 1 : -1];

/* RESIZE_NEAREST: output pixel (r, c) is input pixel (row_map[r], column_map[c]). */
typedef struct split_resize_params {
    uint32_t row_map_offset; /* uint16[output rows], each below the input's rows */
    uint32_t column_map_offset; /* uint16[output columns], each below the input's columns */
} split_resize_params;
typedef char split_resize_params_is_8_bytes[sizeof(split_resize_params) == 8 ? 1 : -1];

/* RESIZE_BILINEAR: output pixel (r, c) lies at row_positions[r], column_positions[c] of the input, in
 * 1/1024 of a pixel. Its four neighbours are weighted by their distances and the sum, in 1/2^20, is rounded
 * half away from zero. */
typedef struct split_bilinear_params {
    uint32_t row_positions_offset; /* uint32[output rows], each at most 1024 * (input rows - 1) */
    uint32_t column_positions_offset; /* uint32[output columns], each at most 1024 * (input columns - 1) */
} split_bilinear_params;
typedef char split_bilinear_params_is_8_bytes[sizeof(split_bilinear_params) == 8 ? 1 : -1];

/* GATHER: output row r is entry x of a constant table, x the one int32 of input row r; 0 below, entry_count
 * - 1 above. */
typedef struct split_gather_params {
    uint32_t table_offset; /* int8[entry_count][output columns * output channels] */
    uint32_t entry_count; /* >= 1 */
} split_gather_params;
typedef char split_gather_params_is_8_bytes[sizeof(split_gather_params) == 8 ? 1 : -1];

/* DEPTH_TO_SPACE: output pixel (r, c) is part (r % block) * block + c % block of the channels of input
 * pixel (r / block, c / block). */
typedef struct split_block_params {
    uint32_t block; /* >= 1 */
} split_block_params;
typedef char split_block_params_is_4_bytes[sizeof(split_block_params) == 4 ? 1 : -1];

/* BATCH_MATMUL: the output's pixels are the rows of a matrix per batch, and so are the operands'. Output
 * row r belongs to batch r / left_rows, whose right operand is the right_rows rows from (batch *
 * right_rows) % right view's rows on. out = clamp(MBQM(sum((x1 - zp1) * (x2 - zp2)), multiplier, shift) +
 * output_zero_point): with `transposed`, channel n is the sum over the channels of the left pixel and the
 * right operand's pixel n; without, channel c is the sum over the channels n of the left pixel and channel
 * c of the right operand's pixel n. */
typedef struct split_matmul_params {
    int32_t left_zero_point;
    int32_t right_zero_point;
    int32_t output_zero_point;
    int32_t multiplier;
    int32_t shift;
    uint16_t left_rows; /* of the output and the left operand, per batch */
    uint16_t right_rows; /* of the right operand, per batch; it may be the same for all */
    uint32_t transposed; /* 0 or 1 (BATCH_MATMUL's adj_y) */
} split_matmul_params;
typedef char split_matmul_params_is_28_bytes[sizeof(split_matmul_params) == 28 ? 1 : -1];

/* TRANSPOSE: the output's rows, columns and channels are these axes of the input, 0 its rows, 1 its
 * columns, 2 its channels. Output rows that are not the input's read all of them. */
typedef struct split_transpose_params {
    uint32_t row_axis;
    uint32_t column_axis;
    uint32_t channel_axis;
} split_transpose_params;
typedef char split_transpose_params_is_12_bytes[sizeof(split_transpose_params) == 12 ? 1 : -1];

/* CONV_INT16, DEPTHWISE_INT16: int16 in and out without zero points, int8 weights as for CONV and
 * DEPTHWISE. acc = bias + sum(w * x) in int64, taps outside the input add nothing; out = clamp(MBQM64(acc,
 * multiplier, shift)), or with SUMS_32 clamp(MBQM((int32)acc, multiplier, shift)). */
typedef struct split_conv_int16_params {
    split_window_params window;
    split_quantized_int16_params quantized;
    uint16_t groups; /* as in split_conv_params */
    uint16_t flags; /* WeightFlags */
} split_conv_int16_params;
typedef char split_conv_int16_params_is_44_bytes[sizeof(split_conv_int16_params) == 44 ? 1 : -1];

/* DENSE_FEED_INT16: DENSE_FEED of int16 by the arithmetic of CONV_INT16. An accumulator is an int64, in two
 * int32 as the bias. */
typedef struct split_dense_int16_params {
    split_quantized_int16_params quantized;
    uint32_t flags; /* WeightFlags */
} split_dense_int16_params;
typedef char split_dense_int16_params_is_28_bytes[sizeof(split_dense_int16_params) == 28 ? 1 : -1];

/* POOL_INT16: taps outside the input do not count. */
typedef struct split_pool_int16_params {
    split_window_params window;
    int32_t output_min;
    int32_t output_max;
    int32_t mode; /* PoolMode */
} split_pool_int16_params;
typedef char split_pool_int16_params_is_28_bytes[sizeof(split_pool_int16_params) == 28 ? 1 : -1];

/* BINARY_INT16: the arithmetic and broadcasting of split_binary_params on int16 without zero points. */
typedef struct split_binary_int16_params {
    int32_t mode; /* BinaryMode */
    int32_t left_shift;
    int32_t multiplier1;
    int32_t shift1;
    int32_t multiplier2;
    int32_t shift2;
    int32_t output_multiplier;
    int32_t output_shift;
    int32_t output_min;
    int32_t output_max;
} split_binary_int16_params;
typedef char split_binary_int16_params_is_40_bytes[sizeof(split_binary_int16_params) == 40 ? 1 : -1];

/* UNARY_INT16, element by element. REQUANTIZE (int8 or int16 to int8 or int16), with d = x -
 * input_zero_point: out = clamp(MBQM(d, multiplier, shift) + output_zero_point), by negative_* where d < 0.
 * FROM_FLOAT: out = clamp(round_half_away(x / scale) + output_zero_point). TO_FLOAT: out = (x -
 * input_zero_point) * scale. */
typedef struct split_unary_int16_params {
    int32_t mode; /* UnaryMode */
    int32_t input_zero_point;
    int32_t output_zero_point;
    int32_t multiplier;
    int32_t shift;
    int32_t negative_multiplier;
    int32_t negative_shift;
    int32_t output_min;
    int32_t output_max;
    float scale; /* finite, > 0 */
} split_unary_int16_params;
typedef char split_unary_int16_params_is_40_bytes[sizeof(split_unary_int16_params) == 40 ? 1 : -1];

/* SOFTMAX_INT16 (reference_ops::SoftmaxInt16): d = MBQM(x - max, multiplier, shift) + 32767, saturated to
 * int16; exp = exps[d], interpolated; out = exp * reciprocals[sum of exps, scaled], clamped to [0, 32767]. */
typedef struct split_softmax_int16_params {
    uint32_t exps_table_offset; /* int16[513]: exp(x), x from -10 to 0, Q0.15 */
    uint32_t reciprocals_table_offset; /* int16[513]: 1 / (1 + x), x from 0 to 1, Q0.15 */
    int32_t multiplier;
    int32_t shift;
} split_softmax_int16_params;
typedef char split_softmax_int16_params_is_16_bytes[sizeof(split_softmax_int16_params) == 16 ? 1 : -1];

/* CONV_FLOAT, DEPTHWISE_FLOAT: as CONV and DEPTHWISE in float32. total = sum(x * w) over the taps inside
 * the input by row, column and channel, from 0, each product and each sum rounded; out = min(max(total +
 * bias, output_min), output_max). */
typedef struct split_conv_float_params {
    split_window_params window;
    float output_min;
    float output_max;
    uint32_t bias_offset; /* float[channels out] */
    uint32_t weights_offset; /* float[]; 16-aligned */
    uint16_t groups; /* as in split_conv_params */
    uint16_t flags; /* 0 */
} split_conv_float_params;
typedef char split_conv_float_params_is_36_bytes[sizeof(split_conv_float_params) == 36 ? 1 : -1];

/* DENSE_FEED_FLOAT: DENSE_FEED in float32, products added in the order of the input; bias and limits as
 * CONV_FLOAT. */
typedef struct split_dense_float_params {
    float output_min;
    float output_max;
    uint32_t bias_offset; /* float[outputs] */
    uint32_t weights_offset; /* float[]; 16-aligned */
} split_dense_float_params;
typedef char split_dense_float_params_is_16_bytes[sizeof(split_dense_float_params) == 16 ? 1 : -1];

/* POOL_FLOAT: taps outside the input do not count; sums by row and column, then one division. */
typedef struct split_pool_float_params {
    split_window_params window;
    float output_min;
    float output_max;
    int32_t mode; /* PoolMode */
} split_pool_float_params;
typedef char split_pool_float_params_is_28_bytes[sizeof(split_pool_float_params) == 28 ? 1 : -1];

/* BINARY_FLOAT: out = min(max(a op b, output_min), output_max), operands broadcast as in
 * split_binary_params. */
typedef struct split_binary_float_params {
    int32_t mode; /* BinaryMode */
    float output_min;
    float output_max;
} split_binary_float_params;
typedef char split_binary_float_params_is_12_bytes[sizeof(split_binary_float_params) == 12 ? 1 : -1];

/* UNARY_FLOAT, element by element, by mode. */
typedef struct split_unary_float_params {
    int32_t mode; /* UnaryMode */
    float low;
    float high;
    float slope;
} split_unary_float_params;
typedef char split_unary_float_params_is_16_bytes[sizeof(split_unary_float_params) == 16 ? 1 : -1];

/* SUM_FEED_FLOAT: per channel, the sum over all pixels of the input in order, from 0, divided by `count`,
 * then limited. */
typedef struct split_sum_float_params {
    float count; /* >= 1 */
    float output_min;
    float output_max;
} split_sum_float_params;
typedef char split_sum_float_params_is_12_bytes[sizeof(split_sum_float_params) == 12 ? 1 : -1];

#ifdef __cplusplus
}
#endif

#endif /* SPLIT_NN_FORMAT_H_ */
