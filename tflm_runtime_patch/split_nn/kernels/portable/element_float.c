/* BINARY_FLOAT, UNARY_FLOAT: one output row. Stack: below 80 bytes. */
#include "../shared_float.h"
#include "../../generated/split_nn_format.h"

void split_nn_binary_float_row(int32_t mode, const split_limits* limits, const split_operand_float* first,
                               const split_operand_float* second, float* output, const split_pixels* out) {
    for (int32_t x = 0; x < out->columns; ++x) {
        const float* a = first->data + (ptrdiff_t)x * first->pixel_stride;
        const float* b = second->data + (ptrdiff_t)x * second->pixel_stride;
        float* pixel = split_output_float(output, x, out->stride);
        for (int32_t c = 0; c < out->channels; ++c) {
            const float left = a[c * first->channel_stride];
            const float right = b[c * second->channel_stride];
            const float value = mode == SPLIT_BINARY_ADD   ? left + right
                                : mode == SPLIT_BINARY_SUB ? left - right
                                                           : left * right;
            pixel[c] = split_limit(limits, value);
        }
    }
}

void split_nn_unary_float_row(const split_unary_float* unary, const float* input, const split_pixels* in, float* output,
                              const split_pixels* out) {
    for (int32_t x = 0; x < out->columns; ++x) {
        const float* from = split_pixel_float(input, x, in->stride);
        float* pixel = split_output_float(output, x, out->stride);
        for (int32_t c = 0; c < out->channels; ++c) {
            const float value = from[c];
            if (unary->mode == SPLIT_UNARY_LEAKY) {
                pixel[c] = value > 0.0f ? value : value * unary->slope;
            } else if (unary->mode == SPLIT_UNARY_HARD_SWISH) {
                const float raised = value + 3.0f;
                const float part = 0.0f < raised ? raised : 0.0f;
                pixel[c] = value * (part < 6.0f ? part : 6.0f) / 6.0f;
            } else {
                pixel[c] = value > unary->high ? unary->high : value < unary->low ? unary->low : value;
            }
        }
    }
}
