/* SUM_FEED_FLOAT, DENSE_FEED_FLOAT: global pooling, MEAN and FULLY_CONNECTED, fed row by row. Stack: below 80 bytes. */
#include "../shared_float.h"

void split_nn_sum_float_row(const float* input, const split_pixels* in, float* sums) {
    for (int32_t x = 0; x < in->columns; ++x) {
        const float* pixel = split_pixel_float(input, x, in->stride);
        for (int32_t c = 0; c < in->channels; ++c) {
            sums[c] += pixel[c];
        }
    }
}

void split_nn_sum_float_finish(const split_limits* limits, float count, const float* sums, int32_t channels,
                               float* output) {
    for (int32_t c = 0; c < channels; ++c) {
        output[c] = split_limit(limits, sums[c] / count);
    }
}

void split_nn_dense_float_row(const split_dense_float* dense, const float* input, const split_pixels* in, float* sums,
                              int32_t outputs) {
    for (int32_t o = 0; o < outputs; ++o) {
        const float* weights = dense->weights + (ptrdiff_t)o * dense->weights_step;
        float total = sums[o];
        for (int32_t x = 0; x < in->columns; ++x) {
            const float* pixel = split_pixel_float(input, x, in->stride);
            for (int32_t i = 0; i < in->channels; ++i) {
                total = split_multiply_add(total, pixel[i], *weights++);
            }
        }
        sums[o] = total;
    }
}

void split_nn_dense_float_finish(const split_limits* limits, const float* bias, const float* sums, int32_t outputs,
                                 float* output) {
    for (int32_t o = 0; o < outputs; ++o) {
        output[o] = split_limit(limits, sums[o] + bias[o]);
    }
}
