/* TRANSPOSE_CONV: one output row, gathered from the input rows that reach it. Stack: below 120 bytes. */
#include <stddef.h>

#include "../shared_int8.h"
#include "../shared_transposed.h"

/* Sum of w * (x - zero point) over the taps of one window row; `weights` are that row's. */
static uint32_t row_sum(const split_conv* conv, split_meeting at, const int8_t* row, const split_pixels* in,
                        const int8_t* weights) {
    uint32_t sum = 0;
    for (; at.tap < conv->window.columns && at.column >= 0; at.tap += conv->window.stride, --at.column) {
        const int8_t* pixel = row + at.column * in->stride;
        const int8_t* tap = weights + at.tap * in->channels;
        for (int32_t i = 0; i < in->channels; ++i) {
            sum += split_product(tap[i], pixel[i] - conv->input_zero_point);
        }
    }
    return sum;
}

void split_nn_transpose_conv_row(const split_conv* conv, const int8_t* const* rows, const split_pixels* in,
                                 int8_t* output, const split_pixels* out) {
    const int32_t row_bytes = conv->window.columns * in->channels;
    for (int32_t x = 0; x < out->columns; ++x) {
        const split_meeting first = split_first_meeting(&conv->window, x, in->columns);
        const int8_t* weights = conv->weights;
        int8_t* pixel = output + x * out->stride;
        for (int32_t channel = 0; channel < out->channels; ++channel) {
            uint32_t sum = (uint32_t)conv->bias[channel];
            for (int32_t k = 0; k < conv->window.rows; ++k, weights += row_bytes) {
                if (rows[k] != NULL) {
                    sum += row_sum(conv, first, rows[k], in, weights);
                }
            }
            pixel[channel] = split_to_int8(&conv->requantization, channel, sum);
        }
    }
}
