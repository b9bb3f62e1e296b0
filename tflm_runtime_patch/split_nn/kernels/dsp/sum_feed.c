/* SUM_FEED: global pooling and MEAN, fed row by row, four channels at a time. Stack: below 100 bytes. */
#include "../shared_int8.h"
#include "../target.h"

#if defined(SPLIT_NN_DSP)

#include "dsp.h"

/* The sum of this many int8 fits an int16. */
#define MAX_SHORT_PIXELS 256

/* Adds four channels of at most MAX_SHORT_PIXELS pixels. */
static void add_four(const int8_t* input, int32_t stride, int32_t columns, int32_t* sums) {
    uint32_t even = 0, odd = 0;
    for (; columns > 0; --columns, input += stride) {
        const uint32_t word = split_load4(input);
        even = split_add_even(even, word);
        odd = split_add_odd(odd, word);
    }
    sums[0] = split_wrapping_add(sums[0], (int16_t)even);
    sums[1] = split_wrapping_add(sums[1], (int16_t)odd);
    sums[2] = split_wrapping_add(sums[2], (int32_t)even >> 16);
    sums[3] = split_wrapping_add(sums[3], (int32_t)odd >> 16);
}

void split_nn_sum_row(const int8_t* input, const split_pixels* in, int32_t* sums) {
    int32_t channel = 0;
    for (; channel + 4 <= in->channels; channel += 4) {
        for (int32_t x = 0; x < in->columns; x += MAX_SHORT_PIXELS) {
            const int32_t left = in->columns - x;
            add_four(input + x * in->stride + channel, in->stride, left < MAX_SHORT_PIXELS ? left : MAX_SHORT_PIXELS,
                     sums + channel);
        }
    }
    for (; channel < in->channels; ++channel) {
        for (int32_t x = 0; x < in->columns; ++x) {
            sums[channel] = split_wrapping_add(sums[channel], input[x * in->stride + channel]);
        }
    }
}

void split_nn_sum_finish(const split_sum* sum, const int32_t* sums, int32_t channels, int8_t* output) {
    for (int32_t c = 0; c < channels; ++c) {
        output[c] = (int8_t)split_mean(sum, sums[c]);
    }
}

#endif /* SPLIT_NN_DSP */
