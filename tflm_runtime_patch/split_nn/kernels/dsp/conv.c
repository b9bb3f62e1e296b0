/* CONV and, with a 1x1 window, FULLY_CONNECTED: one output row. It computes two pixels and two filters at a time if the
 * overlap rules allow two pixels together, otherwise one pixel and four filters. Layers with small windows are
 * conv_small.c's. Stack: below 700 bytes. */
#include <stddef.h>

#include "../shared_int8.h"
#include "../target.h"

#if defined(SPLIT_NN_DSP)

#include "conv_small.h"
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

/* Where the window of one pixel is read, or the windows of two pixels with the same columns inside the input. */
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
        split_dsp_store_any(to, &on->target, channel, sums[0], pixel0);
        split_dsp_store_any(to, &on->target, channel, sums[2], pixel1);
        split_dsp_store_any(to, &on->target, channel + 1, sums[1], pixel0);
        split_dsp_store_any(to, &on->target, channel + 1, sums[3], pixel1);
    }
}

/* Two pixels with all filters, or all but an odd last one. Their windows lie inside the input's columns. With `single`
 * each window is one run of bytes. */
SPLIT_ALWAYS_INLINE void two_pixels(const layer* on, const reach* at, int single, int8_t* pixel0, int8_t* pixel1) {
    const int32_t* bias = on->conv->bias + on->first;
    const int8_t* weights = on->conv->weights + on->first * on->filter;
    const int8_t* const stretch = single ? at->rows[0] + at->start : NULL;
    const int8_t* const other_stretch = single ? stretch + at->pixel_step : NULL;
    const int32_t filter = on->filter;
    const int32_t last = on->end - 1;
    for (int32_t channel = on->first; channel < last; channel += 2, weights += 2 * filter) {
        const uint32_t bias0 = (uint32_t)*bias++, bias1 = (uint32_t)*bias++;
        uint32_t sums[4] = {bias0, bias1, bias0, bias1};
        if (single) {
            split_dot_2x2(stretch, other_stretch, weights, weights + filter, filter, sums);
        } else {
            const int8_t *filter0 = weights, *filter1 = weights + filter;
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
        }
        store_2x2(on, channel, sums, pixel0, pixel1);
    }
}

/* One pixel with the filters from `first` on. Its window may lie anywhere. With `single` it is one run of bytes. */
SPLIT_ALWAYS_INLINE void one_pixel(const layer* on, const reach* at, int32_t first, int single, int8_t* pixel) {
    const int32_t* const bias = on->conv->bias;
    const int8_t* weights = on->conv->weights + first * on->filter;
    const int8_t* const stretch = single ? at->rows[0] + at->start : NULL;
    for (int32_t channel = first; channel < on->end; channel += 4) {
        const int32_t left = on->end - channel; /* spare lanes repeat the last filter */
        const int32_t lane1 = left > 1 ? 1 : 0, lane2 = left > 2 ? 2 : lane1, lane3 = left > 3 ? 3 : lane2;
        const int8_t* const filters[4] = {weights, weights + lane1 * on->filter, weights + lane2 * on->filter,
                                          weights + lane3 * on->filter};
        uint32_t sums[4] = {(uint32_t)bias[channel], (uint32_t)bias[channel + lane1], (uint32_t)bias[channel + lane2],
                            (uint32_t)bias[channel + lane3]};
        if (single) {
            split_dot_1x4(stretch, filters[0], filters[1], filters[2], filters[3], on->filter, sums);
        } else {
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

static NOINLINE void one_stretch(const layer* on, const reach* at, int32_t first, int8_t* pixel) {
    one_pixel(on, at, first, 1, pixel);
}
static NOINLINE void one_window(const layer* on, const reach* at, int32_t first, int8_t* pixel) {
    one_pixel(on, at, first, 0, pixel);
}
static NOINLINE void two_stretches(const layer* on, const reach* at, int8_t* pixel0, int8_t* pixel1) {
    two_pixels(on, at, 1, pixel0, pixel1);
}
static NOINLINE void two_windows(const layer* on, const reach* at, int8_t* pixel0, int8_t* pixel1) {
    two_pixels(on, at, 0, pixel0, pixel1);
}

static void any_pixel(const layer* on, const reach* at, int single, int32_t first, int8_t* pixel) {
    if (single) {
        one_stretch(on, at, first, pixel);
    } else {
        one_window(on, at, first, pixel);
    }
}

/* Two pixels with all filters. An odd last filter is computed for each pixel on its own. */
static void any_two_pixels(const layer* on, const reach* at, int single, int8_t* pixel0, int8_t* pixel1) {
    if (single) {
        two_stretches(on, at, pixel0, pixel1);
    } else {
        two_windows(on, at, pixel0, pixel1);
    }
    if ((on->end - on->first) % 2 != 0) {
        reach other = *at;
        other.start += at->pixel_step;
        any_pixel(on, at, single, on->end - 1, pixel0);
        any_pixel(on, &other, single, on->end - 1, pixel1);
    }
}

/* Pixels [begin, end) of a group's output channels, from copies of their windows. Two windows are copied before either
 * pixel is written. */
static NOINLINE void gathered_pixels(const layer* on, int32_t begin, int32_t end, int8_t* output,
                                     const split_pixels* out) {
    int8_t windows[2 * WINDOW_BYTES];
    const int8_t* const first = windows;
    const reach at = {&first, 1, 0, 1, on->filter, 0, 0, 0, WINDOW_BYTES};
    int32_t x = begin;
    for (; x + 1 < end; x += 2) {
        int8_t* pixel = output + x * out->stride;
        split_gather_window(on->conv, on->rows, on->in, x, on->offset, on->depth, windows);
        split_gather_window(on->conv, on->rows, on->in, x + 1, on->offset, on->depth, windows + WINDOW_BYTES);
        any_two_pixels(on, &at, 1, pixel, pixel + out->stride);
    }
    if (x < end) {
        split_gather_window(on->conv, on->rows, on->in, x, on->offset, on->depth, windows);
        one_stretch(on, &at, on->first, output + x * out->stride);
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

/* Pixels [begin, end) of a group's output channels, directly from the input. With `in_pairs` two pixels are computed
 * together if both windows lie inside the input. Then neither pixel may overlap what the other reads. */
static NOINLINE void direct_pixels(layer* on, int in_pairs, int32_t begin, int32_t end, int8_t* output,
                                   const split_pixels* out) {
    const split_window* shape = &on->conv->window;
    const int32_t two_columns = (shape->columns - 1) * shape->dilation + 1 + shape->stride;
    int8_t padding[WINDOW_BYTES];
    memset(padding, on->conv->input_zero_point, sizeof padding);
    on->padding = padding;
    int32_t x = begin;
    while (x < end) {
        const int32_t origin = x * shape->stride - shape->pad;
        const reach at = reach_of(on, x);
        const int single = at.row_count == 1 && at.parts == 1 && at.part_bytes == on->row_bytes && at.rows[0] != NULL;
        int8_t* pixel = output + x * out->stride;
        if (in_pairs && x + 1 < end && origin >= 0 && origin + two_columns <= on->in->columns) {
            any_two_pixels(on, &at, single, pixel, pixel + out->stride);
            x += 2;
        } else {
            any_pixel(on, &at, single, on->first, pixel);
            ++x;
        }
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
    const int32_t together = split_pixels_together(conv, rows, in, output, out, 0);
    const int apart = together == out->columns;
    const int in_pairs = apart || together > 1;
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
    const int gathers = on.filter <= WINDOW_BYTES && (on.filter > depth || !in_pairs);
    /* If the output may overlap the input, all groups of a pixel must be done before the next pixel is begun. */
    const int32_t run = apart || conv->groups == 1 ? out->columns : 1;
    for (int32_t x = 0; x < out->columns; x += run) {
        for (int32_t group = 0; group < conv->groups; ++group) {
            on.first = group * filters;
            on.end = on.first + filters;
            on.offset = group * depth;
            if (gathers) {
                gathered_pixels(&on, x, x + run, output, out);
            } else {
                direct_pixels(&on, in_pairs, x, x + run, output, out);
            }
        }
    }
}

void split_nn_conv_row(const split_conv* conv, const int8_t* const* rows, const split_pixels* in, int8_t* output,
                       const split_pixels* out) {
#if defined(__OPTIMIZE__) /* otherwise the compiler keeps too few registers free for conv_small.c */
    if (split_dsp_is_small(conv, in, out)) {
        split_dsp_conv_small_row(conv, rows, in, output, out);
        return;
    }
#endif
    any_row(conv, rows, in, output, out);
}

#endif /* SPLIT_NN_DSP */
