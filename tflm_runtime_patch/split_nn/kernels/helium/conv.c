/* CONV and, with a 1x1 window, FULLY_CONNECTED: one output row on MVE.
 *
 * There are three ways to read a window:
 *   one run of bytes in memory                        it is used in place
 *   small, but several rows, padding or pixel gaps    it is gathered into a buffer first, which is cheaper than dot
 *                                                     products for each of its rows
 *   large                                             its rows are read one by one
 * Stack: below 850 bytes. */
#include <stddef.h>
#include <string.h>

#include "../shared_int8.h"
#include "../target.h"
#include "../windows.h"

#if defined(SPLIT_NN_MVE)

#include "pairs.h"
#include "window.h"

/* Copies of windows that are computed together. */
#define TOGETHER_BYTES 320

/* One group of an output pixel whose window, at `at`, is too large to be gathered. Each batch reads the whole window
 * and is then written. The next batch reads the same window again. */
SPLIT_MVE_CASE void large_window(const work* of, int32_t group, const place* at, int8_t* pixel) {
    int32_t sums[SPLIT_MVE_BATCH];
    const int32_t first = group * of->group_filters, end = first + of->group_filters;
    batch filters = {first, 0, of->conv->weights + first * of->filter_bytes};
    for (; filters.first < end; filters.first += filters.count) {
        filters.count = end - filters.first < SPLIT_MVE_BATCH ? end - filters.first : SPLIT_MVE_BATCH;
        memcpy(sums, of->conv->bias + filters.first, (size_t)filters.count * sizeof(int32_t));
        add_rows(of, at, group * of->depth, &filters, sums);
        split_mve_store(&of->scales, filters.first, sums, filters.count, pixel + filters.first);
        filters.weights += filters.count * of->filter_bytes;
    }
}

/* Filters [first, first + count) of a group, if they can be stored at once. */
SPLIT_ALWAYS_INLINE split_mve_filters filters_of(const work* of, int32_t first, int32_t count) {
    const split_requantization* const to = &of->scales.to;
    const split_mve_filters filters = {to,
                                       of->conv->bias + first,
                                       to->multipliers + first,
                                       to->shifts + first,
                                       of->conv->weights + first * of->filter_bytes,
                                       count / SPLIT_MVE_WORDS};
    return filters;
}

/* The same for a window that is one run of bytes, at `run`. */
SPLIT_ALWAYS_INLINE void run_window(const work* of, int32_t group, const int8_t* run, int8_t* pixel) {
    int32_t sums[SPLIT_MVE_BATCH];
    const int32_t bytes = of->filter_bytes, end = (group + 1) * of->group_filters;
    int32_t count = 0, first = end - of->group_filters;
    if (of->at_once) {
        const split_mve_filters filters = filters_of(of, first, of->group_filters);
        const split_mve_runs runs = {run, 0, pixel + first, 0, 1};
        split_mve_store_dots(&filters, &runs, bytes);
        return;
    }
    for (; first < end; first += count) {
        count = end - first < SPLIT_MVE_BATCH ? end - first : SPLIT_MVE_BATCH;
        split_mve_dots(sums, of->conv->bias + first, count, run, bytes, of->conv->weights + first * bytes, bytes);
        split_mve_store(&of->scales, first, sums, count, pixel + first);
    }
}

/* An output pixel whose windows are runs of bytes in the only input row, from byte `offset` on. */
SPLIT_MVE_CASE void pixel_of_run(const work* of, int32_t offset, int8_t* pixel) {
    for (int32_t group = 0; group < of->conv->groups; ++group, offset += of->depth) {
        run_window(of, group, of->rows[0] + offset, pixel);
    }
}

/* An output pixel whose windows are gathered. `is_inner`: they have no padding, and each of their rows is one run. */
SPLIT_MVE_CASE void gathered_pixel(const work* of, const place* at, int is_inner, int8_t* pixel) {
    int8_t run[GATHERED_BYTES];
    for (int32_t group = 0; group < of->conv->groups; ++group) {
        const int32_t channel = group * of->depth;
        if (is_inner) {
            const split_window* window = &of->conv->window;
            gather_runs(of->rows, window->rows, at->offset + channel, window->columns * of->depth, run);
        } else {
            gather(of, at, channel, run);
        }
        run_window(of, group, run, pixel);
    }
}

static inline void pixel_of(const work* of, const place* at, int is_inner, int8_t* pixel) {
    if (is_inner && of->conv->window.rows == 1) {
        pixel_of_run(of, at->offset, pixel);
    } else if (of->filter_bytes <= GATHERED_BYTES) {
        gathered_pixel(of, at, is_inner, pixel);
    } else {
        for (int32_t group = 0; group < of->conv->groups; ++group) {
            large_window(of, group, at, pixel);
        }
    }
}

/* Output pixels whose windows are runs of bytes in the only input row, without padding. */
SPLIT_MVE_CASE void pixels_of_runs(const work* of, const int8_t* from, int32_t advance, int8_t* output, int32_t stride,
                                   int32_t pixels) {
    const split_mve_filters filters = filters_of(of, 0, of->group_filters);
    const split_mve_runs runs = {from, advance, output, stride, pixels};
    split_mve_store_dots(&filters, &runs, of->filter_bytes);
}

/* Where the window of a pixel lies that may reach beyond the input. */
SPLIT_MVE_CASE place place_of(const work* of, int32_t origin, const split_pixels* in) {
    place at;
    split_clip_window(&of->conv->window, origin, in->columns, &at.begin, &at.end);
    at.offset = (origin + at.begin * of->conv->window.dilation) * in->stride;
    return at;
}

/* A row whose windows are gathered and stored at once, as many together as there is room for. Windows that start at a pixel in
 * [0, last] are inside the input. */
SPLIT_MVE_CASE void gathered_row(const work* of, int32_t last, const split_pixels* in, int8_t* output,
                                 const split_pixels* out) {
    int8_t run[TOGETHER_BYTES];
    const split_window* const window = &of->conv->window;
    const split_mve_filters filters = filters_of(of, 0, of->group_filters);
    const int32_t bytes = of->filter_bytes, room = TOGETHER_BYTES / bytes, row_bytes = window->columns * of->depth;
    int32_t origin = -window->pad;
    for (int32_t left = out->columns; left > 0; left -= room) {
        const int32_t pixels = left < room ? left : room;
        const split_mve_runs runs = {run, bytes, output, out->stride, pixels};
        int8_t* to = run;
        for (int32_t k = pixels; k > 0; --k, origin += window->stride, to += bytes) {
            if (0 <= origin && origin <= last) {
                gather_runs(of->rows, window->rows, origin * in->stride, row_bytes, to);
            } else {
                const place at = place_of(of, origin, in);
                gather(of, &at, 0, to);
            }
        }
        split_mve_store_dots(&filters, &runs, bytes);
        output += pixels * out->stride;
    }
}

/* Two output pixels, one beside the other, whose windows lie inside the input. */
SPLIT_MVE_CASE void pair_of_pixels(const work* of, int32_t offset, int32_t advance, int8_t* pixel, int32_t stride) {
    const split_conv* const conv = of->conv;
    const int32_t row_bytes = conv->window.columns * of->depth, excess = -row_bytes & (SPLIT_MVE_BYTES - 1);
    split_mve_pair pair = {of->rows,    conv->window.rows, row_bytes,     excess, of->filter_bytes, offset, advance,
                           &of->scales, conv->bias,        conv->weights, 0,      of->group_filters};
    for (int32_t group = conv->groups; group > 0; --group) {
        split_mve_store_pair(&pair, pixel, pixel + stride);
        pair.offset += of->depth;
        pair.bias += of->group_filters;
        pair.weights += of->group_filters * of->filter_bytes;
        pair.first += of->group_filters;
    }
}

void split_nn_conv_row(const split_conv* conv, const int8_t* const* rows, const split_pixels* in, int8_t* output,
                       const split_pixels* out) {
    const split_window window = conv->window;
    const int32_t depth = in->channels / conv->groups, bytes = window.rows * window.columns * depth;
    work of = {conv,
               rows,
               split_mve_scales_of(&conv->requantization, out->channels),
               depth,
               out->channels / conv->groups,
               bytes,
               window.dilation * in->stride,
               0};
    of.at_once = of.scales.only_right && of.group_filters % SPLIT_MVE_WORDS == 0 && split_mve_stores(bytes);
    /* Windows that start at a pixel in [0, last] lie inside the input. */
    const int may_be_inner = is_contiguous(&of, window.columns) && !has_padding(rows, window.rows);
    const int32_t last = may_be_inner ? in->columns - 1 - (window.columns - 1) * window.dilation : -1;
    const int in_rows = of.at_once && window.rows == 1 && conv->groups == 1;
    if (of.at_once && conv->groups == 1 && (window.rows > 1 || !may_be_inner)) {
        gathered_row(&of, last, in, output, out);
        return;
    }
    const int in_pairs = !of.at_once && last >= window.stride && of.group_filters >= 3 && bytes >= SPLIT_MVE_BYTES &&
                         split_pixels_together(conv, rows, in, output, out, 0) > 1;
    int32_t origin = -window.pad;
    for (int32_t x = out->columns; x > 0; --x, origin += window.stride, output += out->stride) {
        const int is_inner = 0 <= origin && origin <= last;
        if (is_inner && in_pairs && x > 1 && origin + window.stride <= last) {
            pair_of_pixels(&of, origin * in->stride, window.stride * in->stride, output, out->stride);
            --x;
            origin += window.stride;
            output += out->stride;
            continue;
        }
        if (is_inner && in_rows) {
            const int32_t left = (last - origin) / window.stride, more = left < x - 1 ? left : x - 1;
            pixels_of_runs(&of, rows[0] + origin * in->stride, window.stride * in->stride, output, out->stride,
                           more + 1);
            x -= more;
            origin += more * window.stride;
            output += more * out->stride;
            continue;
        }
        place at = {0, window.columns, origin * in->stride};
        if (!is_inner) {
            at = place_of(&of, origin, in);
        }
        pixel_of(&of, &at, is_inner, output);
    }
}

#endif /* SPLIT_NN_MVE */
