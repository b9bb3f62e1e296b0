/* The interface of the kernels. A call computes one step: usually one output row from pointers to input rows. Kernels
 * know nothing of programs.
 *
 * Each kernel is a file of its own. A faster variant (Armv7E-M DSP, Helium) defines the same function in another file
 * and is built instead of the portable one. It must give the same bytes and keep the overlap rules of split_nn.h.
 *
 * Kernels do not check their arguments: split_nn_prepare() has checked every range that is stated here. */
#ifndef SPLIT_NN_KERNELS_H_
#define SPLIT_NN_KERNELS_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The shape of one row: `columns` pixels of `channels` elements, `stride` bytes from one pixel to the next. */
typedef struct split_pixels {
    int32_t columns;
    int32_t channels;
    int32_t stride;
} split_pixels;

/* The window of a convolution or pool along one row. Window column k of output pixel x reads input pixel
 * x * stride - pad + k * dilation. The kernel gets `rows` pointers, one per window row; 1..SPLIT_MAX_WINDOW_ROWS. */
typedef struct split_window {
    int32_t rows;
    int32_t columns;
    int32_t stride;
    int32_t dilation;
    int32_t pad;
} split_window;

/* How an int32 sum becomes an int8: clamp(requantize(sum, multiplier, shift) + zero_point, min, max). Output channel c
 * uses entry c * step of `multipliers` and `shifts`. So step is 1 if they are per channel, otherwise 0. */
typedef struct split_requantization {
    const int32_t* multipliers;
    const int8_t* shifts;
    int32_t step;
    int32_t zero_point;
    int32_t min;
    int32_t max;
} split_requantization;

/* CONV: weights [channels out][window.rows][window.columns][channels in / groups].
 *
 * DEPTHWISE: weights [window.rows][window.columns][channels out]. Here `groups` is the depth multiplier: output
 * channel c reads input channel c / groups.
 *
 * Both: the input's zero point is folded into `bias`. So a tap inside the input adds w * x, and a tap in the padding
 * adds w * input_zero_point. */
typedef struct split_conv {
    split_window window;
    split_requantization requantization;
    const int8_t* weights;
    const int32_t* bias;
    int32_t input_zero_point;
    int32_t groups;
} split_conv;

/* rows[k] points to the first pixel of the input row that window row k reads. It is NULL if that row is padding. */
void split_nn_conv_row(const split_conv* conv, const int8_t* const* rows, const split_pixels* in, int8_t* output,
                       const split_pixels* out);
void split_nn_depthwise_row(const split_conv* conv, const int8_t* const* rows, const split_pixels* in, int8_t* output,
                            const split_pixels* out);

/* A convolution whose input channels come in several groups, one step each. `row` adds one group's products to
 * sums[columns][channels]; CONV's groups are 1 here, and the bias is left out. `finish` turns the sums into the output
 * row, in the order of pixels and channels. The output may start at the address of the sums. */
void split_nn_conv_sum_row(const split_conv* conv, const int8_t* const* rows, const split_pixels* in, int32_t* sums,
                           const split_pixels* out);
void split_nn_conv_sum_finish(const split_requantization* to, const int32_t* sums, int8_t* output,
                              const split_pixels* out);

/* Weights [channels out][window.rows][window.columns][channels in]. Window column k of input pixel i adds to output
 * pixel i * stride - pad + k, where pad >= 0. Dilation and groups are 1. No zero point is folded into `bias`: each tap
 * adds w * (x - input_zero_point). rows[k] is the input row whose window row k falls on this output row, or NULL. */
void split_nn_transpose_conv_row(const split_conv* conv, const int8_t* const* rows, const split_pixels* in,
                                 int8_t* output, const split_pixels* out);

/* Output pixel x is input pixel column_map[x]. */
void split_nn_resize_nearest_row(const uint16_t* column_map, const int8_t* input, const split_pixels* in,
                                 int8_t* output, const split_pixels* out);

/* Positions are in units of 1/SPLIT_POSITIONS_PER_PIXEL of a pixel. Output pixel x lies at column_positions[x] of the
 * input. The output row lies `row_fraction` below input row `first`, towards the next one, `second`. A fraction is less
 * than one pixel; if it is 0, both rows are the same. */
void split_nn_resize_bilinear_row(uint32_t row_fraction, const uint32_t* column_positions, const int8_t* first,
                                  const int8_t* second, const split_pixels* in, int8_t* output,
                                  const split_pixels* out);

/* Copies the table entry `entry`, whose pixels have no gaps between them, to the output row. */
void split_nn_stream_row(const uint8_t* input, uint8_t* output, const split_pixels* in, const split_pixels* out,
                         int32_t element_bytes, uint8_t flip);
void split_nn_gather_row(const int8_t* entry, int8_t* output, const split_pixels* out);

/* Cuts the channels of each input pixel into parts of the output's size. Output pixel x is part
 * block * part + x % block of input pixel x / block. */
void split_nn_depth_to_space_row(int32_t block, int32_t part, const int8_t* input, const split_pixels* in,
                                 int8_t* output, const split_pixels* out);

/* BATCH_MATMUL: sums of (left element - left_zero_point) * right element. Sums begin at `start`, into which the caller
 * puts what the right operand's zero point adds. The right operand comes as pointers to pixels, at most
 * SPLIT_MATMUL_PIXELS. */
#define SPLIT_MATMUL_PIXELS 8
typedef struct split_matmul {
    split_requantization requantization; /* one entry for all channels */
    int32_t left_zero_point;
    uint32_t start;
} split_matmul;

/* output[k] is the dot product of `depth` > 0 elements of `left` and of right[k], for 0 <= k < count. */
void split_nn_matmul_dots(const split_matmul* matmul, const int8_t* left, int32_t depth, const int8_t* const* right,
                          int32_t count, int8_t* output);
/* Adds left element k times the `channels` elements of right[k] to sums[channels], for 0 <= k < count. There are at
 * most SPLIT_BLOCK_CHANNELS channels. `finish` turns the sums into the output. */
void split_nn_matmul_add(const split_matmul* matmul, const int8_t* left, const int8_t* const* right, int32_t count,
                         uint32_t* sums, int32_t channels);
void split_nn_matmul_finish(const split_matmul* matmul, const uint32_t* sums, int32_t channels, int8_t* output);

/* TRANSPOSE: copies `count` elements, `input_step` bytes apart in the input and `output_step` in the output. */
void split_nn_transpose_line(const int8_t* input, int32_t input_step, int8_t* output, int32_t output_step,
                             int32_t count);

typedef struct split_pool {
    split_window window;
    int32_t min;
    int32_t max;
} split_pool;

/* Input and output have the same channels. A window that is all padding gives 0 (average) or -128 (maximum). */
void split_nn_average_pool_row(const split_pool* pool, const int8_t* const* rows, const split_pixels* in,
                               int8_t* output, const split_pixels* out);
void split_nn_max_pool_row(const split_pool* pool, const int8_t* const* rows, const split_pixels* in, int8_t* output,
                           const split_pixels* out);

/* One operand. Element c of pixel x is data[x * pixel_stride + c * channel_stride]. A stride of 0 broadcasts. */
typedef struct split_operand {
    const int8_t* data;
    int32_t pixel_stride;
    int32_t channel_stride;
    int32_t zero_point;
} split_operand;

typedef struct split_add {
    int32_t left_shift; /* 0..20 */
    int32_t multiplier1;
    int32_t shift1;
    int32_t multiplier2;
    int32_t shift2;
    int32_t output_multiplier;
    int32_t output_shift;
    int32_t zero_point;
    int32_t min;
    int32_t max;
    int32_t subtract; /* 1: operand 1 - operand 2 */
} split_add;

typedef struct split_prelu {
    int32_t multiplier; /* for values >= 0 */
    int32_t shift;
    int32_t slope_multiplier; /* for values below 0, applied to value * slope */
    int32_t slope_shift;
    int32_t zero_point;
    int32_t min;
    int32_t max;
} split_prelu;

typedef struct split_mul {
    int32_t multiplier;
    int32_t shift;
    int32_t zero_point;
    int32_t min;
    int32_t max;
} split_mul;

void split_nn_add_row(const split_add* add, const split_operand* first, const split_operand* second, int8_t* output,
                      const split_pixels* out);
void split_nn_mul_row(const split_mul* mul, const split_operand* first, const split_operand* second, int8_t* output,
                      const split_pixels* out);

/* Like ADD with `subtract`. The difference is squared, modulo 2^32, before the output's multiplier is applied. */
void split_nn_squared_difference_row(const split_add* add, const split_operand* first, const split_operand* second,
                                     int8_t* output, const split_pixels* out);
/* Values of `first` >= 0 pass; values below 0 are multiplied by `slope`. */
void split_nn_prelu_row(const split_prelu* prelu, const split_operand* first, const split_operand* slope,
                        int8_t* output, const split_pixels* out);
/* MAXIMUM, or MINIMUM if `maximum` is 0. The operands' zero points are not used. */
void split_nn_extreme_row(int32_t maximum, const split_operand* first, const split_operand* second, int8_t* output,
                          const split_pixels* out);

/* output = table[input]. The table has 256 entries of element_bytes, 1 or 4. out->stride is in bytes. */
void split_nn_lut_row(const uint8_t* table, int32_t element_bytes, const uint8_t* input, const split_pixels* in,
                      uint8_t* output, const split_pixels* out);

typedef struct split_quantize {
    float scale; /* finite, > 0 */
    int32_t zero_point;
    int32_t min;
    int32_t max;
} split_quantize;

/* `input` holds float32 elements; in->stride is in bytes. */
void split_nn_quantize_float_row(const split_quantize* quantize, const uint8_t* input, const split_pixels* in,
                                 uint8_t* output, const split_pixels* out);

/* exps[i] is exp(-i * scale) in Q0.31, for 0 <= i < exp_count. All are >= 0, and exps[0] >= 2^30. There are at most
 * SPLIT_MAX_SOFTMAX_CHANNELS channels. */
void split_nn_softmax_row(const int32_t* exps, int32_t exp_count, const int8_t* input, const split_pixels* in,
                          int8_t* output, const split_pixels* out);

typedef struct split_pad {
    int32_t columns;       /* padding pixels in front of the input's first pixel */
    int32_t channels;      /* padding channels in front of the input's first channel */
    int32_t element_bytes; /* of input and output: 1, 2 or 4 */
    int8_t value;          /* of every byte of padding; 0 if an element has several bytes and there is padding */
} split_pad;

/* `input` is NULL if the whole row is padding. */
void split_nn_pad_row(const split_pad* pad, const uint8_t* input, const split_pixels* in, uint8_t* output,
                      const split_pixels* out);

typedef struct split_sum {
    int32_t mode;  /* SPLIT_MEAN_* */
    int32_t count; /* 1..2^23 */
    int32_t bias;
    int32_t multiplier;
    int32_t shift;
    int32_t zero_point;
    int32_t min;
    int32_t max;
} split_sum;

/* `row` adds the row's pixels to sums[channels]. `finish` turns the sums into the output pixel. */
void split_nn_sum_row(const int8_t* input, const split_pixels* in, int32_t* sums);
void split_nn_sum_finish(const split_sum* sum, const int32_t* sums, int32_t channels, int8_t* output);

/* Sums each pixel's channels, at most 2^23, in mode SPLIT_MEAN_MEAN. The output has one channel. */
void split_nn_pixel_sum_row(const split_sum* sum, const int8_t* input, const split_pixels* in, int8_t* output,
                            const split_pixels* out);
/* Mode SPLIT_MEAN_MAXIMUM: `row` updates largest[channels] with the row's pixels. `finish` turns these into the output
 * pixel. */
void split_nn_max_feed_row(const int8_t* input, const split_pixels* in, int32_t* largest);
void split_nn_max_feed_finish(int32_t min, int32_t max, const int32_t* largest, int32_t channels, int8_t* output);

typedef struct split_dense {
    split_requantization requantization;
    const int8_t* weights; /* of the row's first element, for output 0 */
    int32_t weights_step;  /* bytes from one output's weights to the next's */
} split_dense;

/* `row` adds the row's products to sums[outputs]. `finish` turns the sums into the output. */
void split_nn_dense_row(const split_dense* dense, const int8_t* input, const split_pixels* in, int32_t* sums,
                        int32_t outputs);
void split_nn_dense_finish(const split_dense* dense, const int32_t* sums, int32_t outputs, int8_t* output);

#ifdef __cplusplus
}
#endif

#endif /* SPLIT_NN_KERNELS_H_ */
