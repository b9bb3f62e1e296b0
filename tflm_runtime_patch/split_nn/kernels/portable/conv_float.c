/* CONV_FLOAT, DEPTHWISE_FLOAT and, with a 1x1 window, FULLY_CONNECTED: one output row. Stack: below 150 bytes. */
#include "../shared_float.h"

/* The input pixel under window column t, which lies inside the input. */
static const float* tap_of(const split_window* window, split_reach at, int32_t t, const float* row,
                           const split_pixels* in) {
    return split_pixel_float(row, at.origin + t * window->dilation, in->stride);
}

static float add_products(float total, const float* weights, const float* values, int32_t count) {
    for (int32_t i = 0; i < count; ++i) {
        total = split_multiply_add(total, values[i], weights[i]);
    }
    return total;
}

void split_nn_conv_float_row(const split_conv_float* conv, const float* const* rows, const split_pixels* in,
                             float* output, const split_pixels* out) {
    const split_window* window = &conv->window;
    const int32_t depth = in->channels / conv->groups;
    const int32_t group_filters = out->channels / conv->groups;
    for (int32_t x = 0; x < out->columns; ++x) {
        const split_reach at = split_reach_of(window, x, in->columns);
        float* pixel = split_output_float(output, x, out->stride);
        for (int32_t c = 0; c < out->channels; ++c) {
            const int32_t channel = c / group_filters * depth;
            float total = 0.0f;
            for (int32_t k = 0; k < window->rows; ++k) {
                const float* weights = conv->weights + (c * window->rows + k) * window->columns * depth;
                for (int32_t t = at.begin; t < at.end && rows[k] != NULL; ++t) {
                    const float* values = tap_of(window, at, t, rows[k], in) + channel;
                    total = add_products(total, weights + t * depth, values, depth);
                }
            }
            pixel[c] = split_limit(&conv->limits, total + conv->bias[c]);
        }
    }
}

void split_nn_depthwise_float_row(const split_conv_float* conv, const float* const* rows, const split_pixels* in,
                                  float* output, const split_pixels* out) {
    const split_window* window = &conv->window;
    for (int32_t x = 0; x < out->columns; ++x) {
        const split_reach at = split_reach_of(window, x, in->columns);
        float* pixel = split_output_float(output, x, out->stride);
        for (int32_t c = 0; c < out->channels; ++c) {
            const int32_t read = c / conv->groups;
            float total = 0.0f;
            for (int32_t k = 0; k < window->rows; ++k) {
                for (int32_t t = at.begin; t < at.end && rows[k] != NULL; ++t) {
                    const float weight = conv->weights[(k * window->columns + t) * out->channels + c];
                    total = split_multiply_add(total, tap_of(window, at, t, rows[k], in)[read], weight);
                }
            }
            pixel[c] = split_limit(&conv->limits, total + conv->bias[c]);
        }
    }
}
