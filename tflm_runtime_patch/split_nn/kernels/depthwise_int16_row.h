/* A row of DEPTHWISE_INT16, four channels at a time, for every variant. */
#ifndef SPLIT_NN_DEPTHWISE_INT16_ROW_H_
#define SPLIT_NN_DEPTHWISE_INT16_ROW_H_

#include "shared_int16.h"

/* Sums of four channels. At most SPLIT_INT32_PRODUCTS products are added up in them. */
typedef struct split_four {
    int32_t sum0, sum1, sum2, sum3;
} split_four;

/* The sums plus the products of four values with four weights. */
typedef split_four split_tap_int16(const int16_t* values, const int8_t* weights, split_four sums);

static inline split_four split_tap_of_one(const int16_t* values, const int8_t* weights, split_four sums) {
    sums.sum0 += *weights * *values;
    return sums;
}

/* Adds the window's products for one channel, or with `tap` for four. */
SPLIT_ALWAYS_INLINE void split_depthwise_window_int16(const split_conv_int16* conv, const int16_t* const* rows,
                                                      const split_pixels* in, split_reach at, int32_t read,
                                                      const int8_t* weights, int32_t channels, split_tap_int16* tap,
                                                      uint64_t sums[4]) {
    const split_window* window = &conv->window;
    const int32_t step = window->dilation * in->stride / (int32_t)sizeof(int16_t);
    split_four some = {0, 0, 0, 0};
    int32_t room = SPLIT_INT32_PRODUCTS;
    for (int32_t k = 0; k < window->rows; ++k, weights += window->columns * channels) {
        if (rows[k] == NULL || at.begin == at.end) {
            continue;
        }
        const int16_t* values = split_pixel_int16(rows[k], at.origin + at.begin * window->dilation, in->stride) + read;
        const int8_t* weight = weights + at.begin * channels;
        for (int32_t left = at.end - at.begin; left > 0; --left, weight += channels) {
            some = tap(values, weight, some);
            if (left > 1) { /* a pointer behind the last tap might lie outside the row */
                values += step;
            }
            if (--room == 0) {
                sums[0] += (uint64_t)(int64_t)some.sum0;
                sums[1] += (uint64_t)(int64_t)some.sum1;
                sums[2] += (uint64_t)(int64_t)some.sum2;
                sums[3] += (uint64_t)(int64_t)some.sum3;
                some = (split_four){0, 0, 0, 0};
                room = SPLIT_INT32_PRODUCTS;
            }
        }
    }
    sums[0] += (uint64_t)(int64_t)some.sum0;
    sums[1] += (uint64_t)(int64_t)some.sum1;
    sums[2] += (uint64_t)(int64_t)some.sum2;
    sums[3] += (uint64_t)(int64_t)some.sum3;
}

SPLIT_ALWAYS_INLINE void split_depthwise_int16_row_of(const split_conv_int16* conv, const int16_t* const* rows,
                                                      const split_pixels* in, int16_t* output, const split_pixels* out,
                                                      split_tap_int16* tap) {
    const int32_t fours = conv->groups == 1 ? out->channels & ~3 : 0;
    for (int32_t x = 0; x < out->columns; ++x) {
        const split_reach at = split_reach_of(&conv->window, x, in->columns);
        int16_t* pixel = split_output_int16(output, x, out->stride);
        for (int32_t c = 0, lanes; c < out->channels; c += lanes) {
            uint64_t sums[4] = {0, 0, 0, 0};
            lanes = c < fours ? 4 : 1;
            if (lanes == 4) {
                split_depthwise_window_int16(conv, rows, in, at, c, conv->weights + c, out->channels, tap, sums);
            } else {
                split_depthwise_window_int16(conv, rows, in, at, c / conv->groups, conv->weights + c, out->channels,
                                             split_tap_of_one, sums);
            }
            for (int32_t lane = 0; lane < lanes; ++lane) {
                const uint64_t bias = split_join_halves(conv->bias + 2 * (c + lane));
                pixel[c + lane] = split_to_int16(&conv->scaling, c + lane, sums[lane] + bias);
            }
        }
    }
}

#endif /* SPLIT_NN_DEPTHWISE_INT16_ROW_H_ */
