/* CONV_SUM: one group of input channels of a convolution, added to the sums of one output row; and the row they end up
 * as. Stack: below 350 bytes. */
#include <string.h>

#include "../target.h"

#if !defined(SPLIT_NN_DSP) && !defined(SPLIT_NN_MVE)

#include "conv_block.h"
#include "store.h"

void split_nn_conv_sum_row(const split_conv* conv, const int8_t* const* rows, const split_pixels* in, int32_t* sums,
                           const split_pixels* out) {
    const split_window* const shape = &conv->window;
    const int32_t filter = shape->rows * shape->columns * in->channels;
    split_block on = {.each = {.pixels = 1},
                      .rows = rows,
                      .row_count = shape->rows,
                      .step = shape->dilation * in->stride,
                      .padding = conv->input_zero_point};
    for (int32_t x = 0; x < out->columns; ++x, sums += out->channels) {
        split_aim_block(&on, shape, split_reach_of(shape, x, in->columns), in->stride, in->channels);
        for (int32_t channel = 0; channel < out->channels;) {
            const int32_t size = out->channels - channel < SPLIT_DOTS ? 1 : SPLIT_DOTS;
            uint32_t some[SPLIT_DOTS] = {0, 0, 0, 0};
            memcpy(some, sums + channel, (size_t)size * sizeof *some);
            on.each.filter = size == 1 ? 0 : filter; /* one filter four times */
            split_add_window(some, &on, conv->weights + channel * filter);
            memcpy(sums + channel, some, (size_t)size * sizeof *some);
            channel += size;
        }
    }
}

void split_nn_conv_sum_finish(const split_requantization* to, const int32_t* sums, int8_t* output,
                              const split_pixels* out) {
    for (int32_t x = 0; x < out->columns; ++x, sums += out->channels) {
        split_store_channels(to, 0, (const uint32_t*)sums, out->channels, output + x * out->stride);
    }
}

#endif /* !SPLIT_NN_DSP && !SPLIT_NN_MVE */
