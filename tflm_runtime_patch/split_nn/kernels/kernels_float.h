/* The interface of the float32 kernels. The rules of kernels.h hold here too.
 *
 * A floating-point sum depends on its order and on every rounding, so both are part of this interface. Each product and
 * each sum is rounded, in the order stated. TFLM's reference kernels do the same if no multiply-add is fused. */
#ifndef SPLIT_NN_KERNELS_FLOAT_H_
#define SPLIT_NN_KERNELS_FLOAT_H_

#include "kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The output is min(max(value, low), high). NaN stays NaN. */
typedef struct split_limits {
    float low;
    float high;
} split_limits;

/* Weights as in split_conv. A sum starts from 0 and runs over window rows, then window columns, then channels. The bias
 * is added last. */
typedef struct split_conv_float {
    split_window window;
    split_limits limits;
    const float* weights;
    const float* bias;
    int32_t groups;
} split_conv_float;

void split_nn_conv_float_row(const split_conv_float* conv, const float* const* rows, const split_pixels* in,
                             float* output, const split_pixels* out);
void split_nn_depthwise_float_row(const split_conv_float* conv, const float* const* rows, const split_pixels* in,
                                  float* output, const split_pixels* out);

typedef struct split_pool_float {
    split_window window;
    split_limits limits;
    int32_t mode; /* SPLIT_POOL_* */
} split_pool_float;

/* A sum runs over window rows, then window columns. A window that is all padding gives 0 (average) or the lowest float
 * (maximum). */
void split_nn_pool_float_row(const split_pool_float* pool, const float* const* rows, const split_pixels* in,
                             float* output, const split_pixels* out);

/* Like split_operand, with strides in elements. */
typedef struct split_operand_float {
    const float* data;
    int32_t pixel_stride;
    int32_t channel_stride;
} split_operand_float;

/* `mode` is SPLIT_BINARY_*. */
void split_nn_binary_float_row(int32_t mode, const split_limits* limits, const split_operand_float* first,
                               const split_operand_float* second, float* output, const split_pixels* out);

typedef struct split_unary_float {
    int32_t mode; /* SPLIT_UNARY_CLAMP, SPLIT_UNARY_LEAKY or SPLIT_UNARY_HARD_SWISH */
    float low;
    float high;
    float slope;
} split_unary_float;

void split_nn_unary_float_row(const split_unary_float* unary, const float* input, const split_pixels* in, float* output,
                              const split_pixels* out);

/* expf, tanhf and expm1f of the C library that the build links, called as TFLM's reference kernels call them. `mode` is
 * SPLIT_UNARY_LOGISTIC, SPLIT_UNARY_TANH or SPLIT_UNARY_ELU. */
void split_nn_library_float_row(int32_t mode, const float* input, const split_pixels* in, float* output,
                                const split_pixels* out);
/* A sum runs over the channels. */
void split_nn_softmax_float_row(float beta, const float* input, const split_pixels* in, float* output,
                                const split_pixels* out);

/* `row` adds the row's pixels to sums[channels], one after the other. `finish` divides by `count`. */
void split_nn_sum_float_row(const float* input, const split_pixels* in, float* sums);
void split_nn_sum_float_finish(const split_limits* limits, float count, const float* sums, int32_t channels,
                               float* output);

typedef struct split_dense_float {
    const float* weights; /* of the row's first element, for output 0 */
    int32_t weights_step; /* elements from one output's weights to the next's */
} split_dense_float;

/* `row` adds the row's products to sums[outputs], one after the other. `finish` adds the bias. */
void split_nn_dense_float_row(const split_dense_float* dense, const float* input, const split_pixels* in, float* sums,
                              int32_t outputs);
void split_nn_dense_float_finish(const split_limits* limits, const float* bias, const float* sums, int32_t outputs,
                                 float* output);

#ifdef __cplusplus
}
#endif

#endif /* SPLIT_NN_KERNELS_FLOAT_H_ */
