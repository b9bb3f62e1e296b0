/* One window of a portable convolution: what it adds to the sums of a few filters. */
#ifndef SPLIT_NN_CONV_WINDOW_H_
#define SPLIT_NN_CONV_WINDOW_H_

#include <stddef.h>

#include "../shared_int8.h"

/* Filters that are computed together, so that each input element is loaded once for all of them. */
#define LANES 4

typedef struct span {
    const int8_t* values;
    const int8_t* weights;
    int32_t count;
} span;

/* sums[lane] += dot product of the span and of filter `lane`, whose weights lie `filter` bytes behind those of
 * lane - 1. */
static void add_dots(uint32_t sums[LANES], int32_t lanes, span part, int32_t filter) {
    if (lanes < LANES) {
        for (int32_t lane = 0; lane < lanes; ++lane) {
            sums[lane] += split_dot(part.weights + lane * filter, part.values, part.count);
        }
        return;
    }
    const int8_t* weights0 = part.weights;
    const int8_t* weights1 = weights0 + filter;
    const int8_t* weights2 = weights1 + filter;
    const int8_t* weights3 = weights2 + filter;
    uint32_t sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0;
    for (int32_t i = 0; i < part.count; ++i) {
        int32_t value = part.values[i];
        sum0 += split_product(weights0[i], value);
        sum1 += split_product(weights1[i], value);
        sum2 += split_product(weights2[i], value);
        sum3 += split_product(weights3[i], value);
    }
    sums[0] += sum0;
    sums[1] += sum1;
    sums[2] += sum2;
    sums[3] += sum3;
}

/* sums[lane] += value * sum of the weights. This is what a run of padding adds. */
static void add_padding(uint32_t sums[LANES], int32_t lanes, span part, int32_t filter, int32_t value) {
    for (int32_t lane = 0; lane < lanes && value != 0; ++lane) {
        const int8_t* weights = part.weights + lane * filter;
        for (int32_t i = 0; i < part.count; ++i) {
            sums[lane] += split_product(weights[i], value);
        }
    }
}

typedef struct position {
    split_reach columns;
    int32_t channel; /* first input channel of the group */
    int32_t depth;   /* input channels of the group */
} position;

static void add_window(const split_conv* conv, const int8_t* const* rows, const split_pixels* in, position at,
                       const int8_t* weights, int32_t lanes, uint32_t sums[LANES]) {
    const split_window* window = &conv->window;
    const int32_t row_bytes = window->columns * at.depth;
    const int32_t filter = window->rows * row_bytes;
    const int contiguous = window->dilation == 1 && in->stride == at.depth;
    for (int32_t k = 0; k < window->rows; ++k, weights += row_bytes) {
        if (rows[k] == NULL || at.columns.begin == at.columns.end) {
            add_padding(sums, lanes, (span){NULL, weights, row_bytes}, filter, conv->input_zero_point);
            continue;
        }
        add_padding(sums, lanes, (span){NULL, weights, at.columns.begin * at.depth}, filter, conv->input_zero_point);
        const int8_t* pixel =
            rows[k] + (at.columns.origin + at.columns.begin * window->dilation) * in->stride + at.channel;
        const int8_t* tap = weights + at.columns.begin * at.depth;
        if (contiguous) {
            add_dots(sums, lanes, (span){pixel, tap, (at.columns.end - at.columns.begin) * at.depth}, filter);
        } else {
            for (int32_t t = at.columns.begin; t < at.columns.end; ++t, tap += at.depth) {
                add_dots(sums, lanes, (span){pixel, tap, at.depth}, filter);
                if (t + 1 < at.columns.end) { /* a pointer behind the last tap might lie outside the row */
                    pixel += window->dilation * in->stride;
                }
            }
        }
        add_padding(sums, lanes,
                    (span){NULL, weights + at.columns.end * at.depth, (window->columns - at.columns.end) * at.depth},
                    filter, conv->input_zero_point);
    }
}

#endif /* SPLIT_NN_CONV_WINDOW_H_ */
