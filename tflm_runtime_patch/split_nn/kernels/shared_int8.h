/* What several kernels share: window clipping, dot products, and the way from a sum to an int8. */
#ifndef SPLIT_NN_SHARED_INT8_H_
#define SPLIT_NN_SHARED_INT8_H_

#include "fixed_point.h"
#include "../generated/split_nn_format.h"
#include "kernels.h"

/* A channel-wise kernel computes this many channels at a time. Their int32 sums are most of its stack. */
#define SPLIT_BLOCK_CHANNELS 32

/* Finds the window columns [begin, end) that read a pixel inside [0, columns). If none does, begin == end.
 * split_nn_prepare() has made sure that all positions fit an int32. */
static inline void split_clip_window(const split_window* window, int32_t origin, int32_t columns, int32_t* begin,
                                     int32_t* end) {
    int32_t first = origin < 0 ? (-origin + window->dilation - 1) / window->dilation : 0;
    int32_t last = origin < columns ? (columns - origin + window->dilation - 1) / window->dilation : 0;
    if (last > window->columns) {
        last = window->columns;
    }
    *begin = first < last ? first : last;
    *end = last;
}

/* Where a window lies on its input. Window column t reads pixel origin + t * dilation; columns [begin,
 * end) are inside. */
typedef struct split_reach {
    int32_t origin;
    int32_t begin;
    int32_t end;
} split_reach;

/* The reach of output pixel x's window. */
static inline split_reach split_reach_of(const split_window* window, int32_t x, int32_t columns) {
    split_reach reach = {x * window->stride - window->pad, 0, 0};
    split_clip_window(window, reach.origin, columns, &reach.begin, &reach.end);
    return reach;
}

/* Sums are computed as unsigned. They equal signed sums bit for bit, but wrap where a hostile program
 * would overflow. */
static inline uint32_t split_product(int32_t weight, int32_t value) {
    return (uint32_t)(weight * value);
}

static inline uint32_t split_dot(const int8_t* weights, const int8_t* values, int32_t count) {
    uint32_t sum = 0;
    for (int32_t i = 0; i < count; ++i) {
        sum += split_product(weights[i], values[i]);
    }
    return sum;
}

/* split_requantize() with a multiplier of weights: split_nn_prepare() has made sure that none is negative. */
static inline int32_t split_requantize_sum(uint32_t sum, int32_t multiplier, int32_t shift) {
    return shift < 0 ? split_requantize_right((int32_t)sum, multiplier, ~shift)
                     : split_requantize_any((int32_t)sum, multiplier, shift);
}

static inline int8_t split_to_int8(const split_requantization* to, int32_t channel, uint32_t sum) {
    const int32_t entry = channel * to->step;
    const int32_t value = split_requantize_sum(sum, to->multipliers[entry], to->shifts[entry]);
    return (int8_t)split_clamp(split_wrapping_add(value, to->zero_point), to->min, to->max);
}

/* The average or mean of a sum of int8 or int16, by `mode`, clamped to [min, max]. */
static inline int32_t split_mean(const split_sum* of, int32_t sum) {
    int32_t value;
    if (of->mode == SPLIT_MEAN_AVERAGE_POOL) {
        value = split_average(sum, of->count);
    } else {
        value = split_requantize(split_wrapping_sub(sum, of->bias), of->multiplier, of->shift);
        value = split_wrapping_add(value, of->zero_point);
    }
    return split_clamp(value, of->min, of->max);
}

#endif /* SPLIT_NN_SHARED_INT8_H_ */
