/* TRANSPOSE_CONV_INT16: one output row, gathered from the input rows that reach it. Stack: below 150 bytes. */
#include "../shared_int16.h"
#include "../shared_transposed.h"

/* Sum of w * x over the taps of one window row; `weights` are that row's. */
static uint64_t row_sum(const split_conv_int16* conv, split_meeting at, const int16_t* row, const split_pixels* in,
                        const int8_t* weights) {
    uint64_t sum = 0;
    for (; at.tap < conv->window.columns && at.column >= 0; at.tap += conv->window.stride, --at.column) {
        const int16_t* pixel = split_pixel_int16(row, at.column, in->stride);
        sum += split_dot_int16(weights + at.tap * in->channels, pixel, in->channels);
    }
    return sum;
}

void split_nn_transpose_conv_int16_row(const split_conv_int16* conv, const int16_t* const* rows, const split_pixels* in,
                                       int16_t* output, const split_pixels* out) {
    const int32_t row_bytes = conv->window.columns * in->channels;
    for (int32_t x = 0; x < out->columns; ++x) {
        const split_meeting first = split_first_meeting(&conv->window, x, in->columns);
        const int8_t* weights = conv->weights;
        int16_t* pixel = split_output_int16(output, x, out->stride);
        for (int32_t channel = 0; channel < out->channels; ++channel) {
            uint64_t sum = split_join_halves(conv->bias + 2 * channel);
            for (int32_t k = 0; k < conv->window.rows; ++k, weights += row_bytes) {
                if (rows[k] != NULL) {
                    sum += row_sum(conv, first, rows[k], in, weights);
                }
            }
            pixel[channel] = split_to_int16(&conv->scaling, channel, sum);
        }
    }
}
