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

#include "helium.h"

/* Windows of up to this many bytes are gathered. */
#define GATHERED_BYTES 160

/* Padding is multiplied by up to this many weights at a time. */
#define PADDING_BYTES 64

/* What all pixels of the output row have in common. */
typedef struct work {
    const split_conv* conv;
    const int8_t* const* rows;
    split_mve_scales scales;
    int32_t depth;         /* input channels of a group */
    int32_t group_filters; /* output channels of a group */
    int32_t filter_bytes;
    int32_t step; /* bytes from one window column to the next */
} work;

/* The window columns [begin, end) that lie inside the input, and the offset of the first of them in an input row. */
typedef struct place {
    int32_t begin;
    int32_t end;
    int32_t offset;
} place;

/* Do this many window columns follow one another in memory without a gap? */
static inline int is_contiguous(const work* of, int32_t columns) {
    return of->step == of->depth || columns <= 1;
}

static inline int8_t* fill(int8_t* to, int32_t value, int32_t bytes) {
    for (int32_t done = 0; done < bytes; done += SPLIT_MVE_BYTES) {
        vstrbq_p_s8(to + done, vdupq_n_s8((int8_t)value), vctp8q((uint32_t)(bytes - done)));
    }
    return to + bytes;
}

static inline int8_t* copy(int8_t* to, const int8_t* from, int32_t bytes) {
    for (uint32_t whole = (uint32_t)bytes / SPLIT_MVE_BYTES; whole > 0; --whole) {
        vstrbq_s8(to, vldrbq_s8(from));
        to += SPLIT_MVE_BYTES;
        from += SPLIT_MVE_BYTES;
    }
    const uint32_t rest = (uint32_t)bytes % SPLIT_MVE_BYTES;
    if (rest > 0) {
        const mve_pred16_t p = vctp8q(rest);
        vstrbq_p_s8(to, vldrbq_z_s8(from, p), p);
    }
    return to + rest;
}

/* Copies the window to `run`, padding included. */
SPLIT_MVE_CASE void gather(const work* of, const place* at, int32_t channel, int8_t* run) {
    const int32_t columns = of->conv->window.columns, depth = of->depth, zero_point = of->conv->input_zero_point;
    const int32_t inside = at->end - at->begin;
    const int32_t taps = is_contiguous(of, inside) ? 1 : inside;
    const int32_t tap_bytes = taps == 1 ? inside * depth : depth;
    const int32_t before = at->begin * depth, after = (columns - at->end) * depth;
    for (int32_t k = 0; k < of->conv->window.rows; ++k) {
        if (of->rows[k] == NULL || inside == 0) {
            run = fill(run, zero_point, columns * depth);
            continue;
        }
        const int8_t* from = of->rows[k] + at->offset + channel;
        run = fill(run, zero_point, before);
        for (int32_t t = 0; t < taps; ++t) {
            run = copy(run, from + t * of->step, tap_bytes);
        }
        run = fill(run, zero_point, after);
    }
}

/* The same for a window without padding, each of whose rows is one run. */
SPLIT_MVE_CASE void gather_runs(const int8_t* const* rows, int32_t row_count, int32_t offset, int32_t bytes,
                                int8_t* run) {
    const mve_pred16_t p = vctp8q((uint32_t)bytes);
    for (; row_count > 0; --row_count) {
        const int8_t* from = *rows++ + offset;
        if (bytes <= SPLIT_MVE_BYTES) {
            vstrbq_p_s8(run, vldrbq_z_s8(from, p), p);
            run += bytes;
        } else {
            run = copy(run, from, bytes);
        }
    }
}

/* A batch of filters of one group. */
typedef struct batch {
    int32_t first; /* output channel */
    int32_t count;
    const int8_t* weights;
} batch;

/* sums[f] += value of the padding * sum of `bytes` weights of filter f. */
SPLIT_MVE_CASE void add_padding(const work* of, int32_t* sums, int32_t count, const int8_t* weights, int32_t bytes) {
    int8_t padding[PADDING_BYTES];
    if (of->conv->input_zero_point == 0) {
        return;
    }
    fill(padding, of->conv->input_zero_point, bytes < PADDING_BYTES ? bytes : PADDING_BYTES);
    while (bytes > 0) {
        const int32_t part = bytes < PADDING_BYTES ? bytes : PADDING_BYTES;
        split_mve_dots(sums, sums, count, padding, part, weights, of->filter_bytes);
        weights += part;
        bytes -= part;
    }
}

/* sums[f] += dot product of the window with filter f. */
SPLIT_MVE_CASE void add_rows(const work* of, const place* at, int32_t channel, const batch* filters, int32_t* sums) {
    const int32_t columns = of->conv->window.columns, depth = of->depth;
    const int32_t inside = at->end - at->begin;
    const int32_t taps = is_contiguous(of, inside) ? 1 : inside;
    const int32_t tap_bytes = taps == 1 ? inside * depth : depth;
    const int32_t before = at->begin * depth, after = (columns - at->end) * depth;
    const int8_t* weights = filters->weights;
    for (int32_t k = 0; k < of->conv->window.rows; ++k) {
        if (of->rows[k] == NULL || inside == 0) {
            add_padding(of, sums, filters->count, weights, columns * depth);
            weights += columns * depth;
            continue;
        }
        const int8_t* from = of->rows[k] + at->offset + channel;
        add_padding(of, sums, filters->count, weights, before);
        weights += before;
        for (int32_t t = 0; t < taps; ++t, weights += tap_bytes) {
            split_mve_dots(sums, sums, filters->count, from + t * of->step, tap_bytes, weights, of->filter_bytes);
        }
        add_padding(of, sums, filters->count, weights, after);
        weights += after;
    }
}

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
SPLIT_MVE_INLINE void run_window(const work* of, int32_t group, const int8_t* run, int8_t* pixel) {
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

static int has_padding(const int8_t* const* rows, int32_t count) {
    int32_t k = 0;
    while (k < count && rows[k] != NULL) {
        ++k;
    }
    return k < count;
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
