/* LIBRARY_FLOAT, SOFTMAX_FLOAT: one output row. Stack: below 80 bytes, and what the C library's functions take. */
#include "../shared_float.h"
#include "../../generated/split_nn_format.h"

#include <float.h>
#include <math.h>

/* The limits are those of TFLM's reference/logistic.h. */
static float logistic(float value) {
    if (value > 16.619047164916992188f) {
        return 1.0f;
    }
    return value < -9.0f ? expf(value) : 1.0f / (1.0f + expf(-value));
}

void split_nn_library_float_row(int32_t mode, const float* input, const split_pixels* in, float* output,
                                const split_pixels* out) {
    for (int32_t x = 0; x < out->columns; ++x) {
        const float* from = split_pixel_float(input, x, in->stride);
        float* pixel = split_output_float(output, x, out->stride);
        for (int32_t c = 0; c < out->channels; ++c) {
            const float value = from[c];
            pixel[c] = mode == SPLIT_UNARY_LOGISTIC ? logistic(value)
                       : mode == SPLIT_UNARY_TANH   ? tanhf(value)
                       : value < 0.0f               ? expm1f(value)
                                                    : value;
        }
    }
}

void split_nn_softmax_float_row(float beta, const float* input, const split_pixels* in, float* output,
                                const split_pixels* out) {
    for (int32_t x = 0; x < out->columns; ++x) {
        const float* from = split_pixel_float(input, x, in->stride);
        float* pixel = split_output_float(output, x, out->stride);
        float largest = -FLT_MAX;
        for (int32_t c = 0; c < out->channels; ++c) {
            largest = largest < from[c] ? from[c] : largest;
        }
        float sum = 0.0f;
        for (int32_t c = 0; c < out->channels; ++c) {
            const float exponential = expf((from[c] - largest) * beta);
            pixel[c] = exponential;
            sum += exponential;
        }
        for (int32_t c = 0; c < out->channels; ++c) {
            pixel[c] = pixel[c] / sum;
        }
    }
}
