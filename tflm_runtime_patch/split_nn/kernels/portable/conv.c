/* CONV and, with a 1x1 window, FULLY_CONNECTED: one output row. Two pixels and two filters at a time, so that each loaded
 * element is used twice, where the overlap rules allow two pixels together; otherwise one pixel and four filters. Small
 * windows are copied into one run first, padding included. Stack: below 380 bytes. */
#include <stddef.h>
#include <string.h>

#include "../target.h"

#if !defined(SPLIT_NN_DSP) && !defined(SPLIT_NN_MVE)

#include "../windows.h"
#include "conv_block.h"
#include "store.h"

/* Windows are copied first if they have at most this many bytes: two at a time if both fit, otherwise one. */
#define COPIED_BYTES 56

/* The sums of SPLIT_DOTS outputs, which start as biases. `block` has the windows, or is NULL where the whole window is the
 * run that starts at `values`. */
SPLIT_ALWAYS_INLINE void add_all(uint32_t sums[SPLIT_DOTS], const split_run* on, const split_block* block,
                                 const int8_t* values, const int8_t* weights) {
    if (block == NULL) {
        split_add_run(sums, on, values, weights);
    } else {
        split_add_window(sums, block, weights);
    }
}

/* Writes one channel of two pixels. */
SPLIT_ALWAYS_INLINE void store_pair(const split_requantization* to, int32_t channel, const uint32_t sums[2],
                                    int8_t* byte, int32_t stride) {
    const int32_t entry = channel * to->step, multiplier = to->multipliers[entry], shift = to->shifts[entry];
    const int32_t value0 = split_requantize_sum(sums[0], multiplier, shift);
    const int32_t value1 = split_requantize_sum(sums[1], multiplier, shift);
    const int32_t zero_point = to->zero_point, low = to->min, high = to->max;
    byte[0] = (int8_t)split_clamp(split_wrapping_add(value0, zero_point), low, high);
    byte[stride] = (int8_t)split_clamp(split_wrapping_add(value1, zero_point), low, high);
}

/* Writes the channels [channel, end) of two pixels, two at a time. Their outputs start at `pixel` and `stride` bytes
 * behind it. */
SPLIT_ALWAYS_INLINE void write_two(const split_conv* conv, split_run* on, const split_block* block,
                                   const int8_t* values, int32_t channel, int32_t end, int8_t* pixel, int32_t stride) {
    const int32_t filter = on->filter;
    const int32_t* bias = conv->bias + channel;
    const int8_t* weights = conv->weights + channel * filter;
    uint32_t sums[SPLIT_DOTS];
    for (; channel + 2 <= end; channel += 2, bias += 2, weights += 2 * filter) {
        sums[0] = sums[1] = (uint32_t)bias[0];
        sums[2] = sums[3] = (uint32_t)bias[1];
        add_all(sums, on, block, values, weights);
        store_pair(&conv->requantization, channel, sums, pixel + channel, stride);
        store_pair(&conv->requantization, channel + 1, sums + 2, pixel + channel + 1, stride);
    }
    if (channel < end) {
        on->filter = 0; /* the last filter twice */
        sums[0] = sums[1] = sums[2] = sums[3] = (uint32_t)bias[0];
        add_all(sums, on, block, values, weights);
        store_pair(&conv->requantization, channel, sums, pixel + channel, stride);
        on->filter = filter;
    }
}

/* Writes the channels [first, end) of one pixel, four at a time. */
SPLIT_ALWAYS_INLINE void write_one(const split_conv* conv, split_run* on, const split_block* block,
                                   const int8_t* values, int32_t first, int32_t end, int8_t* pixel) {
    const int32_t filter = on->filter, size = end - first < SPLIT_DOTS ? 1 : SPLIT_DOTS;
    on->filter = size == 1 ? 0 : filter; /* one filter four times */
    for (int32_t channel = first; channel < end; channel += size) {
        channel = channel + size > end ? end - size : channel; /* the last channels may be computed twice */
        uint32_t sums[SPLIT_DOTS];
        memcpy(sums, conv->bias + channel, (size_t)size * sizeof *sums);
        add_all(sums, on, block, values, conv->weights + channel * filter);
        split_store_channels(&conv->requantization, channel, sums, size, pixel + channel);
    }
    on->filter = filter;
}

/* Writes the channels [first, end) of one or two pixels. `block` has their windows, or is NULL where these are one run each, from
 * `values` on. */
static SPLIT_NOINLINE void write_pixels(const split_conv* conv, split_run* on, const split_block* block,
                                        const int8_t* values, int32_t first, int32_t end, int8_t* pixel,
                                        int32_t stride) {
    if (on->pixels == 2) {
        write_two(conv, on, block, values, first, end, pixel, stride);
    } else {
        write_one(conv, on, block, values, first, end, pixel);
    }
}

/* A row whose windows are copied first. */
static SPLIT_NOINLINE void write_copied_row(const split_conv* conv, const int8_t* const* rows, const split_pixels* in,
                                            int8_t* output, const split_pixels* out) {
    int8_t copies[COPIED_BYTES];
    const int32_t depth = in->channels / conv->groups, filters = out->channels / conv->groups;
    const int32_t filter = conv->window.rows * conv->window.columns * depth;
    const int in_pairs = 2 * filter <= COPIED_BYTES && split_pixels_together(conv, rows, in, output, out, 0) > 1;
    split_run on = {.apart = filter, .filter = filter, .bytes = filter};
    for (int32_t x = 0; x < out->columns; x += on.pixels, output += on.pixels * out->stride) {
        on.pixels = in_pairs && x + 1 < out->columns ? 2 : 1;
        for (int32_t group = 0; group < conv->groups; ++group) {
            for (int32_t k = 0; k < on.pixels; ++k) {
                split_gather_window(conv, rows, in, x + k, group * depth, depth, copies + k * filter);
            }
            write_pixels(conv, &on, NULL, copies, group * filters, (group + 1) * filters, output, out->stride);
        }
    }
}

/* A row whose windows are read where they are. */
static SPLIT_NOINLINE void write_direct_row(const split_conv* conv, const int8_t* const* rows, const split_pixels* in,
                                            int8_t* output, const split_pixels* out) {
    const split_window* const shape = &conv->window;
    const int32_t depth = in->channels / conv->groups, filters = out->channels / conv->groups;
    const int in_pairs = split_pixels_together(conv, rows, in, output, out, 0) > 1;
    split_block on = {.each = {.apart = shape->stride * in->stride, .filter = shape->rows * shape->columns * depth},
                      .rows = rows,
                      .row_count = shape->rows,
                      .step = shape->dilation * in->stride,
                      .padding = conv->input_zero_point};
    for (int32_t x = 0; x < out->columns; x += on.each.pixels, output += on.each.pixels * out->stride) {
        const split_reach at = split_reach_of(shape, x, in->columns);
        /* Two pixels together have all their columns inside the input. */
        const int32_t last = at.origin + shape->stride + (shape->columns - 1) * shape->dilation;
        on.each.pixels = in_pairs && x + 1 < out->columns && at.origin >= 0 && last < in->columns ? 2 : 1;
        split_aim_block(&on, shape, at, in->stride, depth);
        for (int32_t group = 0; group < conv->groups; ++group, on.offset += depth) {
            const int32_t end = (group + 1) * filters;
            if (on.row_count == 1 && on.runs == 1 && on.before == 0 && on.after == 0 && rows[0] != NULL) {
                write_pixels(conv, &on.each, NULL, rows[0] + on.offset, end - filters, end, output, out->stride);
            } else {
                write_pixels(conv, &on.each, &on, NULL, end - filters, end, output, out->stride);
            }
        }
    }
}

void split_nn_conv_row(const split_conv* conv, const int8_t* const* rows, const split_pixels* in, int8_t* output,
                       const split_pixels* out) {
    const int32_t taps = conv->window.rows * conv->window.columns;
    if (taps > 1 && taps * in->channels <= COPIED_BYTES * conv->groups) {
        write_copied_row(conv, rows, in, output, out);
    } else {
        write_direct_row(conv, rows, in, output, out);
    }
}

#endif /* !SPLIT_NN_DSP && !SPLIT_NN_MVE */
