/* A row of CONV_INT16, four filters at a time, for every variant. */
#ifndef SPLIT_NN_CONV_INT16_ROW_H_
#define SPLIT_NN_CONV_INT16_ROW_H_

#include "shared_int16.h"

/* sums[f] += dot product of `count` values and of filter f, for 0 <= f < 4. Filters lie `filter` bytes apart. An int32 holds
 * the sums: the caller adds up at most SPLIT_INT32_PRODUCTS products. */
typedef void split_dots_int16(const int16_t* values, const int8_t* weights, int32_t filter, int32_t count,
                              int32_t sums[4]);

/* Sums of four filters: an int32 for as many products as it holds, and all before them. */
typedef struct split_wide_sums {
    uint64_t all[4];
    int32_t some[4];
    int32_t room; /* products that may still be added to `some` */
} split_wide_sums;

/* Word by word: a call of memset takes longer. */
static inline void split_clear_sums(split_wide_sums* sums) {
    sums->all[0] = sums->all[1] = sums->all[2] = sums->all[3] = 0;
    sums->some[0] = sums->some[1] = sums->some[2] = sums->some[3] = 0;
    sums->room = SPLIT_INT32_PRODUCTS;
}

static inline void split_widen_sums(split_wide_sums* sums) {
    for (int32_t f = 0; f < 4; ++f) {
        sums->all[f] += (uint64_t)(int64_t)sums->some[f];
        sums->some[f] = 0;
    }
    sums->room = SPLIT_INT32_PRODUCTS;
}

/* What the window of one pixel adds to the sums of four filters, `filter` bytes apart, whose group reads `depth` channels
 * from `channel` on. */
static inline void split_window_int16(const split_conv_int16* conv, const int16_t* const* rows, const split_pixels* in,
                                      split_reach at, const int8_t* weights, int32_t filter, int32_t channel,
                                      int32_t depth, split_dots_int16* dots, split_wide_sums* sums) {
    const split_window* window = &conv->window;
    const int contiguous = window->dilation == 1 && in->stride == depth * (int32_t)sizeof(int16_t);
    const int32_t taps = at.end - at.begin, run = contiguous ? taps * depth : depth;
    const int32_t runs = contiguous ? (taps > 0) : taps, step = window->dilation * in->stride;
    for (int32_t k = 0; k < window->rows; ++k, weights += window->columns * depth) {
        if (rows[k] == NULL) {
            continue;
        }
        const int8_t* part = weights + at.begin * depth;
        for (int32_t t = 0; t < runs; ++t) {
            const int16_t* values =
                split_pixel_int16(rows[k], at.origin + at.begin * window->dilation, in->stride) + channel;
            values = (const int16_t*)(const void*)((const uint8_t*)values + t * step);
            for (int32_t left = run, count; left > 0; left -= count, part += count, values += count) {
                if (left > sums->room && sums->room < SPLIT_INT32_PRODUCTS) {
                    split_widen_sums(sums);
                }
                count = left < sums->room ? left : sums->room;
                dots(values, part, filter, count, sums->some);
                sums->room -= count;
            }
        }
    }
    split_widen_sums(sums);
}

static inline void split_conv_int16_row_of(const split_conv_int16* conv, const int16_t* const* rows,
                                           const split_pixels* in, int16_t* output, const split_pixels* out,
                                           split_dots_int16* dots) {
    const int32_t depth = in->channels / conv->groups;
    const int32_t group_filters = out->channels / conv->groups;
    const int32_t filter = conv->window.rows * conv->window.columns * depth;
    for (int32_t x = 0; x < out->columns; ++x) {
        const split_reach at = split_reach_of(&conv->window, x, in->columns);
        int16_t* pixel = split_output_int16(output, x, out->stride);
        int32_t left = group_filters, channel = 0;
        for (int32_t c = 0, lanes; c < out->channels; c += lanes) {
            /* If fewer than four filters of the group are left, one is computed four times. */
            lanes = left >= 4 ? 4 : 1;
            split_wide_sums sums;
            split_clear_sums(&sums);
            split_window_int16(conv, rows, in, at, conv->weights + c * filter, lanes == 4 ? filter : 0, channel, depth,
                               dots, &sums);
            for (int32_t lane = 0; lane < lanes; ++lane) {
                const uint64_t bias = split_join_halves(conv->bias + 2 * (c + lane));
                pixel[c + lane] = split_to_int16(&conv->scaling, c + lane, sums.all[lane] + bias);
            }
            left -= lanes;
            if (left == 0) {
                left = group_filters;
                channel += depth;
            }
        }
    }
}

#endif /* SPLIT_NN_CONV_INT16_ROW_H_ */
