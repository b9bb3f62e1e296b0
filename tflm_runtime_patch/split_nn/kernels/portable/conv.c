/* CONV and, with a 1x1 window, FULLY_CONNECTED: one output row. Stack: below 150 bytes. */
#include "../target.h"

#if !defined(SPLIT_NN_DSP) && !defined(SPLIT_NN_MVE)

#include "conv_window.h"

void split_nn_conv_row(const split_conv* conv, const int8_t* const* rows, const split_pixels* in, int8_t* output,
                       const split_pixels* out) {
    const int32_t depth = in->channels / conv->groups;
    const int32_t group_filters = out->channels / conv->groups;
    const int32_t filter = conv->window.rows * conv->window.columns * depth;
    for (int32_t x = 0; x < out->columns; ++x) {
        position at = {split_reach_of(&conv->window, x, in->columns), 0, depth};
        int8_t* pixel = output + x * out->stride;
        int32_t channel = 0;
        for (int32_t group = 0; group < conv->groups; ++group) {
            const int32_t group_end = (group + 1) * group_filters;
            at.channel = group * depth;
            while (channel < group_end) {
                uint32_t sums[LANES] = {0, 0, 0, 0};
                const int32_t lanes = group_end - channel < LANES ? group_end - channel : LANES;
                add_window(conv, rows, in, at, conv->weights + channel * filter, lanes, sums);
                for (int32_t lane = 0; lane < lanes; ++lane, ++channel) {
                    uint32_t sum = (uint32_t)conv->bias[channel] + sums[lane];
                    pixel[channel] = split_to_int8(&conv->requantization, channel, sum);
                }
            }
        }
    }
}

#endif /* !SPLIT_NN_DSP && !SPLIT_NN_MVE */
