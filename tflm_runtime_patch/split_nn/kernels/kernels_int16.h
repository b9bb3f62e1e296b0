/* The interface of the kernels for int16 activations with int8 weights. The rules of kernels.h hold here too. No int16
 * tensor has a zero point. */
#ifndef SPLIT_NN_KERNELS_INT16_H_
#define SPLIT_NN_KERNELS_INT16_H_

#include "kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How a sum becomes an int16. The sum is an int64. It is scaled by a multiplier that is cut to 16 bits, as TFLM does if
 * the bias is int64. With `sums_32` it wraps to an int32 first, and is scaled as in an int8 kernel. `step` as in
 * split_requantization. */
typedef struct split_scaling_int16 {
    const int32_t* multipliers;
    const int8_t* shifts; /* -31..7, with sums_32 -31..30 */
    int32_t step;
    int32_t sums_32;
    int32_t min;
    int32_t max;
} split_scaling_int16;

/* Weights as in split_conv. The bias of channel c is an int64: bias[2 * c] is its low half, bias[2 * c
 * + 1] its high. */
typedef struct split_conv_int16 {
    split_window window;
    split_scaling_int16 scaling;
    const int8_t* weights;
    const int32_t* bias;
    int32_t groups;
} split_conv_int16;

void split_nn_conv_int16_row(const split_conv_int16* conv, const int16_t* const* rows, const split_pixels* in,
                             int16_t* output, const split_pixels* out);
void split_nn_depthwise_int16_row(const split_conv_int16* conv, const int16_t* const* rows, const split_pixels* in,
                                  int16_t* output, const split_pixels* out);

/* Like split_nn_transpose_conv_row. conv->groups is not used. */
void split_nn_transpose_conv_int16_row(const split_conv_int16* conv, const int16_t* const* rows, const split_pixels* in,
                                       int16_t* output, const split_pixels* out);

/* A window that is all padding gives 0 (average) or -32768 (maximum). `mode` is SPLIT_POOL_*. */
void split_nn_pool_int16_row(const split_pool* pool, int32_t mode, const int16_t* const* rows, const split_pixels* in,
                             int16_t* output, const split_pixels* out);

/* Like split_operand, with strides in elements. */
typedef struct split_operand_int16 {
    const int16_t* data;
    int32_t pixel_stride;
    int32_t channel_stride;
} split_operand_int16;

typedef struct split_binary_int16 {
    int32_t mode;       /* SPLIT_BINARY_* */
    int32_t left_shift; /* 0..15. SPLIT_BINARY_MUL uses neither this nor multiplier1, multiplier2 */
    int32_t multiplier1;
    int32_t shift1;
    int32_t multiplier2;
    int32_t shift2;
    int32_t output_multiplier;
    int32_t output_shift;
    int32_t min;
    int32_t max;
} split_binary_int16;

void split_nn_binary_int16_row(const split_binary_int16* binary, const split_operand_int16* first,
                               const split_operand_int16* second, int16_t* output, const split_pixels* out);

typedef struct split_unary_int16 {
    int32_t mode; /* SPLIT_UNARY_REQUANTIZE, _FROM_FLOAT or _TO_FLOAT */
    int32_t input_zero_point;
    int32_t output_zero_point;
    int32_t multiplier;
    int32_t shift;
    int32_t negative_multiplier;
    int32_t negative_shift;
    int32_t min;
    int32_t max;
    float scale; /* finite, > 0 */
    int32_t input_bytes;
    int32_t output_bytes;
} split_unary_int16;

/* REQUANTIZE reads and writes elements of 1 or 2 bytes. FROM_FLOAT reads floats and writes int16. TO_FLOAT reads int16
 * and writes floats. */
void split_nn_unary_int16_row(const split_unary_int16* unary, const uint8_t* input, const split_pixels* in,
                              uint8_t* output, const split_pixels* out);

typedef struct split_softmax_int16 {
    const int16_t* exps;        /* SPLIT_INTERPOLATED_ENTRIES */
    const int16_t* reciprocals; /* SPLIT_INTERPOLATED_ENTRIES */
    int32_t multiplier;
    int32_t shift;
} split_softmax_int16;

/* There are at most SPLIT_MAX_SOFTMAX_CHANNELS_INT16 channels. */
void split_nn_softmax_int16_row(const split_softmax_int16* softmax, const int16_t* input, const split_pixels* in,
                                int16_t* output, const split_pixels* out);

/* Like split_nn_sum_row and split_nn_sum_finish. There are at most SPLIT_MAX_SUMMED_INT16 pixels, so
 * no sum overflows. */
void split_nn_sum_int16_row(const int16_t* input, const split_pixels* in, int32_t* sums);
void split_nn_sum_int16_finish(const split_sum* sum, const int32_t* sums, int32_t channels, int16_t* output);

typedef struct split_dense_int16 {
    split_scaling_int16 scaling;
    const int8_t* weights; /* of the row's first element, for output 0 */
    int32_t weights_step;  /* bytes from one output's weights to the next's */
} split_dense_int16;

/* Like split_nn_dense_row and split_nn_dense_finish. The sum of output o is an int64: sums[2 * o] is its low half,
 * sums[2 * o + 1] its high. */
void split_nn_dense_int16_row(const split_dense_int16* dense, const int16_t* input, const split_pixels* in,
                              int32_t* sums, int32_t outputs);
void split_nn_dense_int16_finish(const split_dense_int16* dense, const int32_t* sums, int32_t outputs, int16_t* output);

/* SIGMOID_INT16: the argument counts (value * multiplier) >> shift, rounded, in parts of a step of `table`, which has
 * SPLIT_SIGMOID_ENTRIES entries. 0 <= multiplier <= SPLIT_MAX_SIGMOID_MULTIPLIER, 0 <= shift <= 31. */
typedef struct split_sigmoid_int16 {
    int32_t mode; /* SPLIT_UNARY_LOGISTIC, SPLIT_UNARY_TANH */
    const uint16_t* table;
    int32_t multiplier;
    int32_t shift;
} split_sigmoid_int16;

void split_nn_sigmoid_int16_row(const split_sigmoid_int16* sigmoid, const int16_t* input, const split_pixels* in,
                                int16_t* output, const split_pixels* out);

/* LSTM: how a unit's gates become its new states. Multipliers are not negative. */
typedef struct split_lstm {
    split_sigmoid_int16 tanh_of_cell;
    int32_t forget_multiplier;
    int32_t forget_shift;
    int32_t cell_multiplier;
    int32_t cell_shift;
    int32_t hidden_multiplier;
    int32_t hidden_shift;
    int32_t hidden_zero_point;
    int32_t hidden_min;
    int32_t hidden_max;
    int32_t cell_clip; /* 0: none */
} split_lstm;

/* One unit. gates[4] are what the sums of its forget, input, cell and output gate come to, with 12 bits behind the point.
 * *cell is its cell state, and becomes the new one. Returns the new hidden state. */
int32_t split_nn_lstm_unit(const split_lstm* lstm, const int32_t* gates, int32_t* cell);

#ifdef __cplusplus
}
#endif

#endif /* SPLIT_NN_KERNELS_INT16_H_ */
