/* A row of CONV_INT16, four filters at a time, for every variant. */
#ifndef SPLIT_NN_CONV_INT16_ROW_H_
#define SPLIT_NN_CONV_INT16_ROW_H_

#include "shared_int16.h"

/* Filters whose weights lie `filter` bytes apart. */
typedef struct split_filters {
    const int8_t* weights;
    int32_t filter;
} split_filters;

/* sums[f] += dot product of `count` values and of filter f, for 0 <= f < 4. */
typedef void split_dots_int16(const int16_t* values, split_filters filters, int32_t count, uint64_t sums[4]);

/* What the window of one pixel adds to the sums of four filters, whose group reads `depth` channels from `channel` on. */
static inline void split_window_int16(const split_conv_int16* conv, const int16_t* const* rows, const split_pixels* in,
                                      split_reach at, split_filters filters, int32_t channel, int32_t depth,
                                      split_dots_int16* dots, uint64_t sums[4]) {
    const split_window* window = &conv->window;
    const int contiguous = window->dilation == 1 && in->stride == depth * (int32_t)sizeof(int16_t);
    const int32_t run = contiguous ? (at.end - at.begin) * depth : depth;
    for (int32_t k = 0; k < window->rows; ++k, filters.weights += window->columns * depth) {
        if (rows[k] == NULL) {
            continue;
        }
        split_filters part = filters;
        part.weights += at.begin * depth;
        for (int32_t t = at.begin; t < at.end; t += contiguous ? at.end - at.begin : 1, part.weights += depth) {
            dots(split_pixel_int16(rows[k], at.origin + t * window->dilation, in->stride) + channel, part, run, sums);
        }
    }
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
            const split_filters filters = {conv->weights + c * filter, lanes == 4 ? filter : 0};
            uint64_t sums[4] = {0, 0, 0, 0};
            split_window_int16(conv, rows, in, at, filters, channel, depth, dots, sums);
            for (int32_t lane = 0; lane < lanes; ++lane) {
                const uint64_t bias = split_join_halves(conv->bias + 2 * (c + lane));
                pixel[c + lane] = split_to_int16(&conv->scaling, c + lane, sums[lane] + bias);
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
