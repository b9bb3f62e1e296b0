/* SUM_FEED: global pooling and MEAN, fed row by row. Stack: below 80 bytes. */
#include "../shared_int8.h"
#include "../target.h"

#if !defined(SPLIT_NN_DSP) && !defined(SPLIT_NN_MVE)

void split_nn_sum_row(const int8_t* input, const split_pixels* in, int32_t* sums) {
    for (int32_t x = 0; x < in->columns; ++x) {
        const int8_t* pixel = input + x * in->stride;
        for (int32_t c = 0; c < in->channels; ++c) {
            sums[c] = split_wrapping_add(sums[c], pixel[c]);
        }
    }
}

void split_nn_sum_finish(const split_sum* sum, const int32_t* sums, int32_t channels, int8_t* output) {
    for (int32_t c = 0; c < channels; ++c) {
        output[c] = (int8_t)split_mean(sum, sums[c]);
    }
}

#endif /* !SPLIT_NN_DSP && !SPLIT_NN_MVE */
