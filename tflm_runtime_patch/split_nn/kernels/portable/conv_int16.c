/* CONV_INT16, DEPTHWISE_INT16 and, with a 1x1 window, FULLY_CONNECTED: one output row. Stack: below 150 bytes. */
#include "../shared_int16.h"

/* The input pixel under window column t, which lies inside the input. */
static const int16_t* tap_of(const split_window* window, split_reach at, int32_t t, const int16_t* row,
                             const split_pixels* in) {
    return split_pixel_int16(row, at.origin + t * window->dilation, in->stride);
}

/* What the window adds to the sum of one filter whose group reads `depth` channels from `channel` on. */
static uint64_t window_sum(const split_conv_int16* conv, const int16_t* const* rows, const split_pixels* in,
                           split_reach at, const int8_t* weights, int32_t channel, int32_t depth) {
    const split_window* window = &conv->window;
    const int contiguous = window->dilation == 1 && in->stride == depth * (int32_t)sizeof(int16_t);
    uint64_t sum = 0;
    for (int32_t k = 0; k < window->rows; ++k, weights += window->columns * depth) {
        if (rows[k] == NULL || at.begin == at.end) {
            continue;
        }
        if (contiguous) {
            const int16_t* pixels = tap_of(window, at, at.begin, rows[k], in);
            sum += split_dot_int16(weights + at.begin * depth, pixels, (at.end - at.begin) * depth);
            continue;
        }
        for (int32_t t = at.begin; t < at.end; ++t) {
            sum += split_dot_int16(weights + t * depth, tap_of(window, at, t, rows[k], in) + channel, depth);
        }
    }
    return sum;
}

void split_nn_conv_int16_row(const split_conv_int16* conv, const int16_t* const* rows, const split_pixels* in,
                             int16_t* output, const split_pixels* out) {
    const int32_t depth = in->channels / conv->groups;
    const int32_t group_filters = out->channels / conv->groups;
    const int32_t filter = conv->window.rows * conv->window.columns * depth;
    for (int32_t x = 0; x < out->columns; ++x) {
        const split_reach at = split_reach_of(&conv->window, x, in->columns);
        int16_t* pixel = split_output_int16(output, x, out->stride);
        for (int32_t c = 0; c < out->channels; ++c) {
            const int32_t channel = c / group_filters * depth;
            const uint64_t sum = window_sum(conv, rows, in, at, conv->weights + c * filter, channel, depth);
            pixel[c] = split_to_int16(&conv->scaling, c, sum + split_join_halves(conv->bias + 2 * c));
        }
    }
}

void split_nn_depthwise_int16_row(const split_conv_int16* conv, const int16_t* const* rows, const split_pixels* in,
                                  int16_t* output, const split_pixels* out) {
    const split_window* window = &conv->window;
    for (int32_t x = 0; x < out->columns; ++x) {
        const split_reach at = split_reach_of(window, x, in->columns);
        int16_t* pixel = split_output_int16(output, x, out->stride);
        for (int32_t c = 0; c < out->channels; ++c) {
            const int32_t read = c / conv->groups;
            uint64_t sum = split_join_halves(conv->bias + 2 * c);
            for (int32_t k = 0; k < window->rows; ++k) {
                for (int32_t t = at.begin; t < at.end && rows[k] != NULL; ++t) {
                    const int32_t weight = conv->weights[(k * window->columns + t) * out->channels + c];
                    const int32_t product = weight * tap_of(window, at, t, rows[k], in)[read];
                    sum += (uint64_t)(int64_t)product;
                }
            }
            pixel[c] = split_to_int16(&conv->scaling, c, sum);
        }
    }
}
