/* One block of a portable convolution: up to four sums over the windows of one or two pixels. */
#ifndef SPLIT_NN_PORTABLE_CONV_BLOCK_H_
#define SPLIT_NN_PORTABLE_CONV_BLOCK_H_

#include <stddef.h>

#include "dots.h"

/* What is computed at a time: one or two pixels whose windows are alike, and the filters. */
typedef struct split_run {
    int32_t pixels; /* 1 or 2 */
    int32_t apart;  /* bytes from the first pixel's window to the second's */
    int32_t filter; /* bytes from one filter to the next; 0 where there is one only */
    int32_t bytes;  /* of a stretch of values without gaps */
} split_run;

/* The same, and where its windows lie in the rows. */
typedef struct split_block {
    split_run each; /* stretch */
    const int8_t* const* rows;
    int32_t row_count;
    int32_t offset;  /* bytes from a row to the first tap inside the input */
    int32_t runs;    /* stretches in each row */
    int32_t step;    /* bytes from one stretch to the next */
    int32_t before;  /* bytes of a filter's row before the first tap inside the input */
    int32_t after;   /* and behind the last */
    int32_t padding; /* the value outside the input */
} split_block;

/* Sets what is of the pixel whose window reaches `at`; its group reads `depth` channels. */
SPLIT_ALWAYS_INLINE void split_aim_block(split_block* on, const split_window* shape, split_reach at, int32_t in_stride,
                                         int32_t depth) {
    const int32_t taps = at.end - at.begin;
    const int joined = on->step == depth || taps == 1;
    on->offset = at.origin * in_stride + at.begin * on->step;
    on->runs = joined ? 1 : taps;
    on->each.bytes = joined ? taps * depth : depth;
    on->before = at.begin * depth;
    on->after = (shape->columns - at.end) * depth;
}

static SPLIT_NOINLINE void split_add_padding(uint32_t sums[SPLIT_DOTS], const split_block* on, const int8_t* weights,
                                             int32_t count) {
    for (int32_t k = 0; k < SPLIT_DOTS; ++k) {
        const int8_t* filter = weights + (on->each.pixels == 2 ? k >> 1 : k) * on->each.filter;
        for (int32_t i = 0; i < count; ++i) {
            sums[k] += split_product(filter[i], on->padding);
        }
    }
}

SPLIT_ALWAYS_INLINE void split_add_run(uint32_t sums[SPLIT_DOTS], const split_run* on, const int8_t* values,
                                       const int8_t* weights) {
    if (on->pixels == 2) {
        split_add_dots_2x2(sums, values, on->apart, weights, on->filter, on->bytes);
    } else {
        split_add_dots_1x4(sums, values, weights, on->filter, on->bytes);
    }
}

static SPLIT_NOINLINE void split_add_window(uint32_t sums[SPLIT_DOTS], const split_block* on, const int8_t* weights) {
    const int32_t inside = on->runs * on->each.bytes;
    for (int32_t k = 0; k < on->row_count; ++k) {
        if (on->rows[k] == NULL || inside == 0) {
            if (on->padding != 0) {
                split_add_padding(sums, on, weights, on->before + inside + on->after);
            }
            weights += on->before + inside + on->after;
            continue;
        }
        if (on->before != 0 && on->padding != 0) {
            split_add_padding(sums, on, weights, on->before);
        }
        weights += on->before;
        const int8_t* values = on->rows[k] + on->offset;
        for (int32_t run = 0; run < on->runs; ++run, weights += on->each.bytes) {
            split_add_run(sums, &on->each, values + run * on->step, weights);
        }
        if (on->after != 0 && on->padding != 0) {
            split_add_padding(sums, on, weights, on->after);
        }
        weights += on->after;
    }
}

#endif /* SPLIT_NN_PORTABLE_CONV_BLOCK_H_ */
