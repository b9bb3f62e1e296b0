/* SUM_FEED on MVE: global pooling and MEAN, fed row by row, eight channels at a time. Stack: below 200 bytes. */
#include "../target.h"

#if defined(SPLIT_NN_MVE)

#include "helium.h"

/* Sums of this many int8 fit an int16. */
#define SHORT_PIXELS 256

/* int16 lanes of a vector. */
#define SHORTS 8

/* sums[8] += the sums over the pixels, for the channels in `p`. */
static inline void add_pixels(const int8_t* pixel, int32_t stride, int32_t columns, int32_t* sums, int32_t channels) {
    const mve_pred16_t p = vctp16q((uint32_t)channels);
    int16x8_t sum = vdupq_n_s16(0);
    for (int32_t x = columns; x > 0; --x, pixel += stride) {
        sum = vaddq_s16(sum, vldrbq_z_s16(pixel, p));
    }
    int16_t lanes[SHORTS];
    vstrhq_s16(lanes, sum);
    for (int32_t c = 0; c < channels && c < SHORTS; c += SPLIT_MVE_WORDS) {
        const mve_pred16_t some = vctp32q((uint32_t)(channels - c));
        const int32x4_t before = vldrwq_z_s32(sums + c, some);
        vstrwq_p_s32(sums + c, vaddq_s32(before, vldrhq_s32(lanes + c)), some);
    }
}

void split_nn_sum_row(const int8_t* input, const split_pixels* in, int32_t* sums) {
    const int32_t columns = in->columns, channels = in->channels, stride = in->stride;
    for (int32_t first = 0; first < columns; first += SHORT_PIXELS) {
        const int32_t left = columns - first;
        const int8_t* pixel = input + first * stride;
        for (int32_t c = 0; c < channels; c += SHORTS) {
            add_pixels(pixel + c, stride, left < SHORT_PIXELS ? left : SHORT_PIXELS, sums + c, channels - c);
        }
    }
}

void split_nn_sum_finish(const split_sum* shared, const int32_t* sums, int32_t channels, int8_t* output) {
    const split_sum sum = *shared;
    if (sum.mode == SPLIT_MEAN_AVERAGE_POOL) {
        for (int32_t c = 0; c < channels; ++c) {
            output[c] = (int8_t)split_clamp(split_average(sums[c], sum.count), sum.min, sum.max);
        }
        return;
    }
    for (int32_t c = 0; c < channels; c += SPLIT_MVE_WORDS) {
        const mve_pred16_t p = vctp32q((uint32_t)(channels - c));
        int32x4_t value = vsubq_n_s32(vldrwq_z_s32(sums + c, p), sum.bias);
        value = split_mve_requantize_n(value, sum.multiplier, sum.shift);
        vstrbq_p_s32(output + c, split_mve_to_range(value, sum.zero_point, sum.min, sum.max), p);
    }
}

#endif /* SPLIT_NN_MVE */
