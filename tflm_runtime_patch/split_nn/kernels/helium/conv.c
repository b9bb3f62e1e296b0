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

#if defined(SPLIT_NN_MVE)

#include "window.h"

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

/* The same for a window that is one run of bytes, at `run`. */
SPLIT_ALWAYS_INLINE void run_window(const work* of, int32_t group, const int8_t* run, int8_t* pixel) {
    int32_t sums[SPLIT_MVE_BATCH];
    const int32_t bytes = of->filter_bytes, end = (group + 1) * of->group_filters;
    int32_t count = 0;
    for (int32_t first = end - of->group_filters; first < end; first += count) {
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

void split_nn_conv_row(const split_conv* conv, const int8_t* const* rows, const split_pixels* in, int8_t* output,
                       const split_pixels* out) {
    const split_window window = conv->window;
    const int32_t depth = in->channels / conv->groups;
    const work of = {conv,
                     rows,
                     split_mve_scales_of(&conv->requantization, out->channels),
                     depth,
                     out->channels / conv->groups,
                     window.rows * window.columns * depth,
                     window.dilation * in->stride};
    /* Windows that start at a pixel in [0, last] lie inside the input. */
    const int may_be_inner = is_contiguous(&of, window.columns) && !has_padding(rows, window.rows);
    const int32_t last = may_be_inner ? in->columns - 1 - (window.columns - 1) * window.dilation : -1;
    int32_t origin = -window.pad;
    for (int32_t x = out->columns; x > 0; --x, origin += window.stride, output += out->stride) {
        place at = {0, window.columns, origin * in->stride};
        const int is_inner = 0 <= origin && origin <= last;
        if (!is_inner) {
            split_clip_window(&window, origin, in->columns, &at.begin, &at.end);
            at.offset = (origin + at.begin * window.dilation) * in->stride;
        }
        pixel_of(&of, &at, is_inner, output);
    }
}

#endif /* SPLIT_NN_MVE */
