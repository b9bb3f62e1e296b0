/* CONV_SUM: one group of input channels of a convolution, added to the sums of one output row; and the row they end up
 * as. Stack: below 150 bytes. */
#include "../target.h"

#if !defined(SPLIT_NN_DSP) && !defined(SPLIT_NN_MVE)

#include "conv_window.h"

void split_nn_conv_sum_row(const split_conv* conv, const int8_t* const* rows, const split_pixels* in, int32_t* sums,
                           const split_pixels* out) {
    const int32_t filter = conv->window.rows * conv->window.columns * in->channels;
    for (int32_t x = 0; x < out->columns; ++x, sums += out->channels) {
        const position at = {split_reach_of(&conv->window, x, in->columns), 0, in->channels};
        for (int32_t channel = 0; channel < out->channels; channel += LANES) {
            uint32_t added[LANES] = {0, 0, 0, 0};
            const int32_t lanes = out->channels - channel < LANES ? out->channels - channel : LANES;
            add_window(conv, rows, in, at, conv->weights + channel * filter, lanes, added);
            for (int32_t lane = 0; lane < lanes; ++lane) {
                sums[channel + lane] = (int32_t)((uint32_t)sums[channel + lane] + added[lane]);
            }
        }
    }
}

void split_nn_conv_sum_finish(const split_requantization* to, const int32_t* sums, int8_t* output,
                              const split_pixels* out) {
    for (int32_t x = 0; x < out->columns; ++x, sums += out->channels) {
        int8_t* pixel = output + x * out->stride;
        for (int32_t c = 0; c < out->channels; ++c) {
            pixel[c] = split_to_int8(to, c, (uint32_t)sums[c]);
        }
    }
}

#endif /* !SPLIT_NN_DSP && !SPLIT_NN_MVE */
