/* SUM_FEED: global pooling and MEAN, fed row by row. Stack: below 80 bytes. */
#include "split_nn_fixed_point.h"
#include "split_nn_format.h"
#include "split_nn_kernels.h"
#include "split_nn_target.h"

#if defined(SPLIT_NN_DSP)

void split_nn_sum_row(const int8_t* input, const split_pixels* in, int32_t* sums) {
    for (int32_t x = 0; x < in->columns; ++x) {
        const int8_t* pixel = input + x * in->stride;
        for (int32_t c = 0; c < in->channels; ++c) {
            sums[c] = split_wrapping_add(sums[c], pixel[c]);
        }
    }
}

/* Rounds to nearest, ties away from zero; 64 bits because a hostile program may leave any sum behind. */
static int32_t average(int32_t sum, int32_t count) {
    int64_t nudge = sum > 0 ? count / 2 : -(count / 2);
    return (int32_t)((sum + nudge) / count);
}

void split_nn_sum_finish(const split_sum* sum, const int32_t* sums, int32_t channels, int8_t* output) {
    for (int32_t c = 0; c < channels; ++c) {
        int32_t value;
        if (sum->mode == SPLIT_MEAN_AVERAGE_POOL) {
            value = average(sums[c], sum->count);
        } else {
            value = split_requantize(split_wrapping_sub(sums[c], sum->bias), sum->multiplier, sum->shift);
            value = split_wrapping_add(value, sum->zero_point);
        }
        output[c] = (int8_t)split_clamp(value, sum->min, sum->max);
    }
}

#endif /* SPLIT_NN_DSP */
