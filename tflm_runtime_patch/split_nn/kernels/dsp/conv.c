/* CONV and, with a 1x1 window, FULLY_CONNECTED: one output row. Two pixels and two filters at a time if the overlap rules
 * allow two pixels together, otherwise one pixel and four filters. Most rows of several pixels and more than a few filters
 * are conv_wide.c's. Stack: below 600 bytes. */
#include <stddef.h>

#include "../shared_int8.h"
#include "../target.h"

#if defined(SPLIT_NN_DSP)

#include "conv_wide.h"
#include "dot.h"

/* The sums of so many words of weights fit two int16. */
#define PADDING_QUADS 64

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
    int32_t offset; /* of the group's channels in an input pixel */
} layer;

/* Where the window of one pixel is read, or the windows of two pixels that lie inside the input's columns. */
typedef struct reach {
    const int8_t* const* rows;
    int32_t row_count;
    int32_t start; /* bytes from a row's first pixel to the window's first tap inside it */
    int32_t parts; /* runs of bytes in a row of the window */
    int32_t part_bytes;
    int32_t part_step;  /* bytes from one run to the next */
    int32_t before;     /* weights of a row's taps that lie left of the input */
    int32_t after;      /* weights of a row's taps that lie right of it */
    int32_t pixel_step; /* bytes to the second pixel's window */
} reach;

/* sums[f] += padding value * `count` weights, from `offset` bytes into filter f on. */
static NOINLINE void sum_padding(const layer* on, const int8_t* const filters[4], int32_t offset, int32_t count,
                                 uint32_t sums[4]) {
    const uint32_t value = (uint32_t)on->conv->input_zero_point, values = split_lower_halves(value, value);
    for (int32_t f = 0; f < 4; ++f) {
        const int8_t* weights = filters[f] + offset;
        const int8_t *const end = weights + count, *const quads_end = weights + (count & ~3);
        uint32_t sum = sums[f];
        while (weights != quads_end) {
            const int8_t* const stop =
                quads_end - weights < 4 * PADDING_QUADS ? quads_end : weights + 4 * PADDING_QUADS;
            uint32_t added = 0;
            for (; weights != stop; weights += 4) {
                const uint32_t word = split_load4(weights);
                added = split_add_odd(split_add_even(added, word), word);
            }
            sum = split_add_products(added, values, sum);
        }
        while (weights != end) {
            sum += split_product(*weights++, (int32_t)value);
        }
        sums[f] = sum;
    }
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

/* Writes two channels of two pixels. */
SPLIT_ALWAYS_INLINE void store_2x2(const layer* on, int32_t channel, const uint32_t sums[4], int8_t* pixel0,
                                   int8_t* pixel1) {
    const split_requantization* const to = &on->conv->requantization;
    const int32_t entry0 = channel * to->step, entry1 = entry0 + to->step;
    const int32_t multiplier0 = to->multipliers[entry0], multiplier1 = to->multipliers[entry1];
    const int32_t shift0 = to->shifts[entry0], shift1 = to->shifts[entry1];
    if (split_dsp_is_fast(multiplier0 & multiplier1, shift0) && split_dsp_is_fast_shift(shift1) && !on->target.narrow) {
        const split_dsp_fast_scale scale0 = split_dsp_fast_scale_of(multiplier0, shift0, on->target.nudge);
        const split_dsp_fast_scale scale1 = split_dsp_fast_scale_of(multiplier1, shift1, on->target.nudge);
        pixel0[channel] = (int8_t)split_dsp_to_int8_fast(sums[0], scale0);
        pixel1[channel] = (int8_t)split_dsp_to_int8_fast(sums[2], scale0);
        pixel0[channel + 1] = (int8_t)split_dsp_to_int8_fast(sums[1], scale1);
        pixel1[channel + 1] = (int8_t)split_dsp_to_int8_fast(sums[3], scale1);
    } else {
        const uint32_t copies[4] = {sums[0], sums[1], sums[2], sums[3]};
        split_dsp_store_any(to, &on->target, channel, copies, 2, pixel0);
        split_dsp_store_any(to, &on->target, channel, copies + 2, 2, pixel1);
    }
}

/* Two pixels with an even number of filters. Their windows lie inside the input's columns. */
static NOINLINE void two_pixels(const layer* on, const reach* at, int8_t* pixel0, int8_t* pixel1) {
    const int32_t* bias = on->conv->bias + on->first;
    const int8_t* weights = on->conv->weights + on->first * on->filter;
    for (int32_t channel = on->first; channel < on->end; channel += 2, weights += 2 * on->filter) {
        const uint32_t bias0 = (uint32_t)*bias++, bias1 = (uint32_t)*bias++;
        const int8_t *filter0 = weights, *filter1 = weights + on->filter;
        uint32_t sums[4] = {bias0, bias1, bias0, bias1};
        for (int32_t k = 0; k < at->row_count; ++k) {
            if (at->rows[k] == NULL) {
                const int8_t* const filters[4] = {filter0, filter1, filter0, filter1};
                add_padding(on, filters, 0, on->row_bytes, sums);
                filter0 += on->row_bytes;
                filter1 += on->row_bytes;
                continue;
            }
            const int8_t* values = at->rows[k] + at->start;
            for (int32_t part = at->parts; part > 0; --part, values += at->part_step) {
                split_dot_2x2(values, values + at->pixel_step, filter0, filter1, at->part_bytes, sums);
                filter0 += at->part_bytes;
                filter1 += at->part_bytes;
            }
        }
        store_2x2(on, channel, sums, pixel0, pixel1);
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
        int32_t offset = 0, outside = 0; /* weights of taps outside the input that have not been added */
        for (int32_t k = 0;; ++k) {
            const int8_t* values = k < at->row_count ? at->rows[k] : NULL;
            if (k < at->row_count && (values == NULL || at->parts == 0)) {
                outside += on->row_bytes;
                continue;
            }
            outside += values != NULL ? at->before : 0;
            add_padding(on, filters, offset, outside, sums);
            if (values == NULL) {
                break;
            }
            offset += outside;
            values += at->start;
            for (int32_t part = at->parts; part > 0; --part, values += at->part_step) {
                split_dot_1x4(values, filters[0] + offset, filters[1] + offset, filters[2] + offset,
                              filters[3] + offset, at->part_bytes, sums);
                offset += at->part_bytes;
            }
            outside = at->after;
        }
        if (left >= 4) {
            split_dsp_store_four(&on->conv->requantization, &on->target, channel, sums, pixel);
        } else {
            const uint32_t copies[3] = {sums[0], sums[1], sums[2]};
            split_dsp_store_any(&on->conv->requantization, &on->target, channel, copies, left, pixel);
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
                (shape->columns - end) * on->depth,
                shape->stride * on->in->stride};
    if (step == on->depth && begin < end) {
        at.parts = 1;
        at.part_bytes = (end - begin) * on->depth;
    }
    return at;
}

static NOINLINE void any_row(const split_conv* conv, const int8_t* const* rows, const split_pixels* in, int8_t* output,
                             const split_pixels* out) {
    const split_requantization* to = &conv->requantization;
    const split_window* shape = &conv->window;
    const int32_t depth = in->channels / conv->groups;
    const int32_t filters = out->channels / conv->groups;
    const int32_t row_bytes = shape->columns * depth;
    const int32_t together = split_pixels_together(conv, rows, in, output, out, 0);
    const int32_t two_columns = (shape->columns - 1) * shape->dilation + 1 + shape->stride;
    layer on = {conv,
                rows,
                in,
                split_dsp_target_of(to->zero_point, to->min, to->max),
                depth,
                row_bytes,
                shape->rows * row_bytes,
                0,
                0,
                0};
    /* If the output may overlap the input, all groups of a pixel must be done before the next pixel is begun. */
    const int apart = together == out->columns;
    const int32_t run = apart || conv->groups == 1 ? out->columns : 1;
    const int in_pairs = filters % 2 == 0 && together > 1 && run > 1;
    for (int32_t begin = 0; begin < out->columns; begin += run) {
        for (int32_t group = 0; group < conv->groups; ++group) {
            on.first = group * filters;
            on.end = on.first + filters;
            on.offset = group * depth;
            for (int32_t x = begin; x < begin + run; ++x) {
                const int32_t origin = x * shape->stride - shape->pad;
                const reach at = reach_of(&on, x);
                int8_t* const pixel = output + x * out->stride;
                if (in_pairs && at.part_bytes >= 4 && x + 1 < begin + run && origin >= 0 &&
                    origin + two_columns <= in->columns) {
                    two_pixels(&on, &at, pixel, pixel + out->stride);
                    ++x;
                } else {
                    one_pixel(&on, &at, pixel);
                }
            }
        }
    }
}

void split_nn_conv_row(const split_conv* conv, const int8_t* const* rows, const split_pixels* in, int8_t* output,
                       const split_pixels* out) {
    if (!split_dsp_conv_wide_row(conv, rows, in, output, out)) {
        any_row(conv, rows, in, output, out);
    }
}

#endif /* SPLIT_NN_DSP */
