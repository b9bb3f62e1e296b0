/* CONV and, with a 1x1 window, FULLY_CONNECTED: one output row, one pixel and four filters at a time. Most rows of several
 * pixels are conv_wide.c's. Stack: below 600 bytes. */
#include <stddef.h>

#include "../shared_int8.h"
#include "../target.h"

#if defined(SPLIT_NN_DSP)

#include "conv_wide.h"
#include "dot.h"

/* A window of up to this many bytes is copied into one run first, padding included. */
#define WINDOW_BYTES 48

/* Not inlined, so that the loops of the function have all registers. */
#define NOINLINE __attribute__((noinline))

/* What one output row's windows have in common, for one group of channels. */
typedef struct layer {
    const split_conv* conv;
    const int8_t* const* rows;
    const split_pixels* in;
    split_dsp_target target;
    int32_t depth;     /* input channels of the group */
    int32_t row_bytes; /* of a filter's window row */
    int32_t filter;    /* bytes of a filter */
    int32_t first;     /* output channels [first, end) are the group's */
    int32_t end;
    int32_t offset;        /* of the group's channels in an input pixel */
    const int8_t* padding; /* WINDOW_BYTES times the value of a tap outside the input */
} layer;

/* Where the window of one pixel is read. */
typedef struct reach {
    const int8_t* const* rows;
    int32_t row_count;
    int32_t start; /* bytes from a row's first pixel to the window's first tap inside it */
    int32_t parts; /* runs of bytes in a row of the window */
    int32_t part_bytes;
    int32_t part_step; /* bytes from one run to the next */
    int32_t before;    /* weights of a row's taps that lie left of the input */
    int32_t after;     /* weights of a row's taps that lie right of it */
} reach;

/* sums[f] += padding value * `count` weights, from `offset` bytes into filter f on. */
static NOINLINE void sum_padding(const layer* on, const int8_t* const filters[4], int32_t offset, int32_t count,
                                 uint32_t sums[4]) {
    uint32_t added[4] = {sums[0], sums[1], sums[2], sums[3]};
    while (count > 0) {
        const int32_t bytes = count < WINDOW_BYTES ? count : WINDOW_BYTES;
        split_dot_1x4(on->padding, filters[0] + offset, filters[1] + offset, filters[2] + offset, filters[3] + offset,
                      bytes, added);
        offset += bytes;
        count -= bytes;
    }
    memcpy(sums, added, sizeof added);
}

/* The same, skipped if it would add nothing. The sums stay in registers. */
SPLIT_ALWAYS_INLINE void add_padding(const layer* on, const int8_t* const filters[4], int32_t offset, int32_t count,
                                     uint32_t sums[4]) {
    if (count > 0 && on->conv->input_zero_point != 0) {
        uint32_t added[4] = {0, 0, 0, 0};
        sum_padding(on, filters, offset, count, added);
        sums[0] += added[0];
        sums[1] += added[1];
        sums[2] += added[2];
        sums[3] += added[3];
    }
}

/* One pixel with all filters. Its window may lie anywhere. */
static NOINLINE void one_pixel(const layer* on, const reach* at, int8_t* pixel) {
    const int32_t* const bias = on->conv->bias;
    const int8_t* weights = on->conv->weights + on->first * on->filter;
    for (int32_t channel = on->first; channel < on->end; channel += 4) {
        const int32_t left = on->end - channel; /* spare lanes repeat the last filter */
        const int32_t lane1 = left > 1 ? 1 : 0, lane2 = left > 2 ? 2 : lane1, lane3 = left > 3 ? 3 : lane2;
        const int8_t* const filters[4] = {weights, weights + lane1 * on->filter, weights + lane2 * on->filter,
                                          weights + lane3 * on->filter};
        uint32_t sums[4] = {(uint32_t)bias[channel], (uint32_t)bias[channel + lane1], (uint32_t)bias[channel + lane2],
                            (uint32_t)bias[channel + lane3]};
        int32_t offset = 0;
        for (int32_t k = 0; k < at->row_count; ++k) {
            if (at->rows[k] == NULL || at->parts == 0) {
                add_padding(on, filters, offset, on->row_bytes, sums);
                offset += on->row_bytes;
                continue;
            }
            add_padding(on, filters, offset, at->before, sums);
            offset += at->before;
            const int8_t* values = at->rows[k] + at->start;
            for (int32_t part = at->parts; part > 0; --part, values += at->part_step) {
                split_dot_1x4(values, filters[0] + offset, filters[1] + offset, filters[2] + offset,
                              filters[3] + offset, at->part_bytes, sums);
                offset += at->part_bytes;
            }
            add_padding(on, filters, offset, at->after, sums);
            offset += at->after;
        }
        if (left >= 4) {
            split_dsp_store_four(&on->conv->requantization, &on->target, channel, sums, pixel);
        } else {
            split_dsp_store_any(&on->conv->requantization, &on->target, channel, sums[0], pixel);
            split_dsp_store_any(&on->conv->requantization, &on->target, channel + lane1, sums[1], pixel);
            split_dsp_store_any(&on->conv->requantization, &on->target, channel + lane2, sums[2], pixel);
        }
        weights += 4 * on->filter;
    }
}

static reach reach_of(const layer* on, int32_t x) {
    const split_window* shape = &on->conv->window;
    const int32_t origin = x * shape->stride - shape->pad;
    const int32_t step = shape->dilation * on->in->stride;
    int32_t begin, end;
    split_clip_window(shape, origin, on->in->columns, &begin, &end);
    reach at = {on->rows,
                shape->rows,
                (origin + begin * shape->dilation) * on->in->stride + on->offset,
                end - begin,
                on->depth,
                step,
                begin * on->depth,
                (shape->columns - end) * on->depth};
    if (step == on->depth && begin < end) {
        at.parts = 1;
        at.part_bytes = (end - begin) * on->depth;
    }
    return at;
}

/* Pixels [begin, end) of a group's output channels, directly from the input. */
static NOINLINE void direct_pixels(layer* on, int32_t begin, int32_t end, int8_t* output, const split_pixels* out) {
    int8_t padding[WINDOW_BYTES];
    memset(padding, on->conv->input_zero_point, sizeof padding);
    on->padding = padding;
    for (int32_t x = begin; x < end; ++x) {
        const reach at = reach_of(on, x);
        one_pixel(on, &at, output + x * out->stride);
    }
    on->padding = NULL;
}

static NOINLINE void any_row(const split_conv* conv, const int8_t* const* rows, const split_pixels* in, int8_t* output,
                             const split_pixels* out) {
    const split_requantization* to = &conv->requantization;
    const split_window* shape = &conv->window;
    const int32_t depth = in->channels / conv->groups;
    const int32_t filters = out->channels / conv->groups;
    const int32_t row_bytes = shape->columns * depth;
    layer on = {conv,
                rows,
                in,
                split_dsp_target_of(to->zero_point, to->min, to->max),
                depth,
                row_bytes,
                shape->rows * row_bytes,
                0,
                0,
                0,
                NULL};
    /* If the output may overlap the input, all groups of a pixel must be done before the next pixel is begun. */
    const int32_t run = conv->groups == 1 ? out->columns : 1;
    for (int32_t x = 0; x < out->columns; x += run) {
        for (int32_t group = 0; group < conv->groups; ++group) {
            on.first = group * filters;
            on.end = on.first + filters;
            on.offset = group * depth;
            direct_pixels(&on, x, x + run, output, out);
        }
    }
}

void split_nn_conv_row(const split_conv* conv, const int8_t* const* rows, const split_pixels* in, int8_t* output,
                       const split_pixels* out) {
    if (split_dsp_wide_lanes(conv, rows, in, output, out) != 0) {
        split_dsp_conv_wide_row(conv, rows, in, output, out);
    } else {
        any_row(conv, rows, in, output, out);
    }
}

#endif /* SPLIT_NN_DSP */
