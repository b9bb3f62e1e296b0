/* What several portable kernels share: dot products, window clipping, the last step from sum to int8. */
#ifndef SPLIT_NN_SHARED_INT8_H_
#define SPLIT_NN_SHARED_INT8_H_

#include "fixed_point.h"
#include "../generated/split_nn_format.h"
#include "kernels.h"

/* Channels a channel-wise kernel takes at once: their int32 sums are the kernel's stack. */
#define SPLIT_BLOCK_CHANNELS 32

/* The window columns [begin, end) that read a pixel inside [0, columns); begin == end when none does.
 * prepare keeps origin and every tap within an int32. */
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

/* Where a window lies on its input: window column t on pixel origin + t * dilation, [begin, end) of them inside. */
typedef struct split_reach {
    int32_t origin;
    int32_t begin;
    int32_t end;
} split_reach;

/* The reach of output pixel x. */
static inline split_reach split_reach_of(const split_window* window, int32_t x, int32_t columns) {
    split_reach reach = {x * window->stride - window->pad, 0, 0};
    split_clip_window(window, reach.origin, columns, &reach.begin, &reach.end);
    return reach;
}

/* Sums are unsigned: they wrap where a hostile program would overflow, and are equal bit for bit otherwise.
 */
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

static inline int8_t split_to_int8(const split_requantization* to, int32_t channel, uint32_t sum) {
    int32_t entry = channel * to->step;
    int32_t value = split_requantize((int32_t)sum, to->multipliers[entry], to->shifts[entry]);
    return (int8_t)split_clamp(split_wrapping_add(value, to->zero_point), to->min, to->max);
}

/* What `mode` makes of a sum of int8 or int16, limited to [min, max]. */
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
