/* A row of CONV_INT16, four filters at a time, for every variant. */
#ifndef SPLIT_NN_CONV_INT16_ROW_H_
#define SPLIT_NN_CONV_INT16_ROW_H_

#include "shared_int16.h"
#include "target.h"

/* sums[f] += dot product of `count` values and of filter f, for 0 <= f < 4. Filters lie `filter` bytes apart. An int32 holds
 * the sums: the caller adds up at most SPLIT_INT32_PRODUCTS products. Inlined, so that sums stay in registers. */
typedef void split_dots_int16(const int16_t* values, const int8_t* weights, int32_t filter, int32_t count,
                              int32_t sums[4]);

/* Stretches of `count` values, one in each row that is not NULL, `offset` bytes behind its start. A row's weights lie
 * `row_weights` bytes behind those of the row before. */
typedef struct split_stretches {
    const int16_t* const* rows;
    int32_t row_count;
    int32_t offset;
    int32_t count;
    int32_t row_weights;
} split_stretches;

/* The same for stretches. A function of its own in each variant, so that its loop has all registers. */
typedef void split_stretches_int16(const split_stretches* on, const int8_t* weights, int32_t filter, int32_t sums[4]);

SPLIT_ALWAYS_INLINE void split_add_stretches(const split_stretches* on, const int8_t* weights, int32_t filter,
                                             int32_t sums[4], split_dots_int16* dots) {
    int32_t some[4] = {sums[0], sums[1], sums[2], sums[3]};
    for (const int16_t *const *row = on->rows, *const *const end = row + on->row_count; row != end; ++row) {
        if (*row != NULL) {
            dots(split_pixel_int16(*row, 1, on->offset), weights, filter, on->count, some);
        }
        weights += on->row_weights;
    }
    sums[0] = some[0];
    sums[1] = some[1];
    sums[2] = some[2];
    sums[3] = some[3];
}

/* Sums of four filters: an int32 for as many products as it holds, and all before them. */
typedef struct split_wide_sums {
    uint64_t all[4];
    int32_t some[4];
} split_wide_sums;

static inline void split_widen_sums(split_wide_sums* sums) {
    for (int32_t f = 0; f < 4; ++f) {
        sums->all[f] += (uint64_t)(int64_t)sums->some[f];
        sums->some[f] = 0;
    }
}

/* Adds stretches of any length, in parts for which an int32 has room. */
static SPLIT_NOINLINE void split_add_long(const split_stretches* on, const int8_t* weights, int32_t filter,
                                          split_stretches_int16* add, split_wide_sums* sums) {
    split_stretches part = *on;
    const int32_t fit = SPLIT_INT32_PRODUCTS / on->count;
    part.row_count = fit > 0 ? fit : 1;
    for (int32_t row = 0; row < on->row_count; row += part.row_count, weights += part.row_count * on->row_weights) {
        part.rows = on->rows + row;
        part.row_count = on->row_count - row < part.row_count ? on->row_count - row : part.row_count;
        part.offset = on->offset;
        for (int32_t done = 0; done < on->count; done += part.count) {
            part.count = on->count - done < SPLIT_INT32_PRODUCTS ? on->count - done : SPLIT_INT32_PRODUCTS;
            part.offset = on->offset + done * (int32_t)sizeof(int16_t);
            add(&part, weights + done, filter, sums->some);
            split_widen_sums(sums);
        }
    }
}

/* Writes `count` channels from `channel` on, whose biases are the pairs of halves at `bias`. A sum is what is in `some`, and
 * in `all` unless that is NULL. */
static SPLIT_NOINLINE void split_store_int16(const split_scaling_int16* to, int32_t channel, const int32_t* bias,
                                             const int32_t* some, const uint64_t* all, int32_t count, int16_t* output) {
    if (all != NULL || to->sums_32) {
        for (int32_t k = 0; k < count; ++k) {
            const uint64_t sum = split_join_halves(bias + 2 * k) + (uint64_t)(int64_t)some[k] + (all ? all[k] : 0);
            output[k] = split_to_int16(to, channel + k, sum);
        }
        return;
    }
    const int32_t step = to->step, low = to->min, high = to->max;
    const int32_t* multiplier = to->multipliers + channel * step;
    const int8_t* shift = to->shifts + channel * step;
    for (const int32_t* const end = some + count; some != end; bias += 2, multiplier += step, shift += step) {
        const uint64_t sum = split_join_halves(bias) + (uint64_t)(int64_t)*some++;
        const int32_t narrow = (int32_t)(uint32_t)sum;
        int32_t value;
        if ((uint64_t)(int64_t)narrow == sum && *shift >= -16) {
            value = split_requantize_narrow(narrow, *multiplier, *shift);
        } else {
            value = split_requantize_wide(sum, *multiplier, *shift);
        }
        *output++ = (int16_t)split_clamp(value, low, high);
    }
}

static inline void split_conv_int16_row_of(const split_conv_int16* conv, const int16_t* const* rows,
                                           const split_pixels* in, int16_t* output, const split_pixels* out,
                                           split_stretches_int16* add) {
    const split_window* const window = &conv->window;
    const int32_t depth = in->channels / conv->groups, filters = out->channels / conv->groups;
    const int32_t filter = window->rows * window->columns * depth;
    const int joined = window->dilation == 1 && in->stride == depth * (int32_t)sizeof(int16_t);
    split_stretches on = {rows, window->rows, 0, 0, window->columns * depth};
    for (int32_t x = 0; x < out->columns; ++x) {
        const split_reach at = split_reach_of(window, x, in->columns);
        const int32_t taps = at.end - at.begin, runs = joined ? taps > 0 : taps;
        const int32_t first = (at.origin + at.begin * window->dilation) * in->stride;
        const int is_short = runs == 1 && window->rows * taps * depth <= SPLIT_INT32_PRODUCTS;
        int16_t* pixel = split_output_int16(output, x, out->stride);
        int32_t left = filters, channel = 0;
        on.count = joined ? taps * depth : depth;
        for (int32_t c = 0, lanes; c < out->channels; c += lanes) {
            /* If fewer than four filters of the group are left, one is computed four times. */
            lanes = left >= 4 ? 4 : 1;
            const int32_t apart = lanes == 4 ? filter : 0;
            const int8_t* weights = conv->weights + c * filter + at.begin * depth;
            split_wide_sums sums;
            sums.some[0] = sums.some[1] = sums.some[2] = sums.some[3] = 0;
            on.offset = first + channel * (int32_t)sizeof(int16_t);
            if (is_short) {
                add(&on, weights, apart, sums.some);
            } else {
                sums.all[0] = sums.all[1] = sums.all[2] = sums.all[3] = 0;
                for (int32_t run = 0; run < runs; ++run, weights += depth) {
                    split_add_long(&on, weights, apart, add, &sums);
                    on.offset += window->dilation * in->stride;
                }
            }
            split_store_int16(&conv->scaling, c, conv->bias + 2 * c, sums.some, is_short ? NULL : sums.all, lanes,
                              pixel + c);
            left -= lanes;
            if (left == 0) {
                left = filters;
                channel += depth;
            }
        }
    }
}

#endif /* SPLIT_NN_CONV_INT16_ROW_H_ */
