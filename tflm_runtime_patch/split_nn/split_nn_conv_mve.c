/* CONV and, with a 1x1 window, FULLY_CONNECTED: one output row on MVE.
 *
 * A window that is one run of bytes in memory is used where it lies. A small one that is not (several rows,
 * padding, gaps between pixels) is gathered into a buffer first: that is cheaper than starting dot products for
 * each of its rows. A large one is taken row by row. Stack: below 550 bytes. */
#include <stddef.h>
#include <string.h>

#include "split_nn_internal.h"
#include "split_nn_target.h"

#if defined(SPLIT_NN_MVE)

#include "split_nn_mve.h"

/* The largest window that is gathered; also the longest stretch of padding that is multiplied at a time. */
#define BUFFER_BYTES 160

/* A row's work. */
typedef struct work {
    const split_conv* conv;
    const int8_t* const* rows;
    split_mve_scales scales;
    int32_t depth;         /* input channels of a group */
    int32_t group_filters; /* output channels of a group */
    int32_t filter_bytes;
    int32_t step; /* bytes from one window column to the next */
} work;

/* The window columns [begin, end) that lie inside the input, and where the first of them is in a row. */
typedef struct place {
    int32_t begin;
    int32_t end;
    int32_t offset;
} place;

/* Columns that follow one another without a gap are one run. */
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

/* Writes the window as one run. */
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

/* The same where the window has no padding and each of its rows is a run. */
SPLIT_MVE_CASE void gather_runs(const int8_t* const* rows, int32_t row_count, int32_t offset, int32_t bytes,
                                int8_t* run) {
    for (; row_count > 0; --row_count) {
        run = copy(run, *rows++ + offset, bytes);
    }
}

/* Filters of one group, one batch of them. */
typedef struct batch {
    int32_t first; /* output channel */
    int32_t count;
    const int8_t* weights;
} batch;

/* sums[f] += the padding's value * sum of `bytes` weights of filter f. */
SPLIT_MVE_CASE void add_padding(const work* of, int32_t* sums, int32_t count, const int8_t* weights, int32_t bytes,
                                int8_t buffer[BUFFER_BYTES]) {
    if (of->conv->input_zero_point == 0) {
        return;
    }
    fill(buffer, of->conv->input_zero_point, bytes < BUFFER_BYTES ? bytes : BUFFER_BYTES);
    while (bytes > 0) {
        const int32_t part = bytes < BUFFER_BYTES ? bytes : BUFFER_BYTES;
        split_mve_dots(sums, sums, count, buffer, part, weights, of->filter_bytes);
        weights += part;
        bytes -= part;
    }
}

/* sums[f] += dot product of the window with filter f. */
SPLIT_MVE_CASE void add_rows(const work* of, const place* at, int32_t channel, const batch* filters, int32_t* sums,
                             int8_t buffer[BUFFER_BYTES]) {
    const int32_t columns = of->conv->window.columns, depth = of->depth;
    const int32_t inside = at->end - at->begin;
    const int32_t taps = is_contiguous(of, inside) ? 1 : inside;
    const int32_t tap_bytes = taps == 1 ? inside * depth : depth;
    const int32_t before = at->begin * depth, after = (columns - at->end) * depth;
    const int8_t* weights = filters->weights;
    for (int32_t k = 0; k < of->conv->window.rows; ++k) {
        if (of->rows[k] == NULL || inside == 0) {
            add_padding(of, sums, filters->count, weights, columns * depth, buffer);
            weights += columns * depth;
            continue;
        }
        const int8_t* from = of->rows[k] + at->offset + channel;
        add_padding(of, sums, filters->count, weights, before, buffer);
        weights += before;
        for (int32_t t = 0; t < taps; ++t, weights += tap_bytes) {
            split_mve_dots(sums, sums, filters->count, from + t * of->step, tap_bytes, weights, of->filter_bytes);
        }
        add_padding(of, sums, filters->count, weights, after, buffer);
        weights += after;
    }
}

/* One group of an output pixel. `run` is its window, or NULL: then that lies at `at`, from channel `channel` on.
 * A batch is written when its window has been read: the next one reads the same window. */
static void group_of(const work* of, int32_t group, const int8_t* run, const place* at, int8_t* pixel,
                     int8_t buffer[BUFFER_BYTES]) {
    int32_t sums[SPLIT_MVE_BATCH];
    const int32_t first = group * of->group_filters, end = first + of->group_filters;
    batch filters = {first, 0, of->conv->weights + first * of->filter_bytes};
    for (; filters.first < end; filters.first += filters.count) {
        filters.count = end - filters.first < SPLIT_MVE_BATCH ? end - filters.first : SPLIT_MVE_BATCH;
        const int32_t* bias = of->conv->bias + filters.first;
        if (run != NULL) {
            split_mve_dots(sums, bias, filters.count, run, of->filter_bytes, filters.weights, of->filter_bytes);
        } else {
            memcpy(sums, bias, (size_t)filters.count * sizeof(int32_t));
            add_rows(of, at, group * of->depth, &filters, sums, buffer);
        }
        split_mve_store(&of->scales, filters.first, sums, filters.count, pixel + filters.first);
        filters.weights += filters.count * of->filter_bytes;
    }
}

/* An output pixel whose window may reach beyond the input, or have gaps. */
SPLIT_MVE_CASE void any_pixel(const work* of, const place* at, int8_t* pixel) {
    int8_t buffer[BUFFER_BYTES];
    for (int32_t group = 0; group < of->conv->groups; ++group) {
        if (of->filter_bytes <= BUFFER_BYTES) {
            gather(of, at, group * of->depth, buffer);
            group_of(of, group, buffer, at, pixel, buffer);
        } else {
            group_of(of, group, NULL, at, pixel, buffer);
        }
    }
}

/* One whose window is inside, every row of it a run, `offset` bytes into the input's rows. */
SPLIT_MVE_CASE void inner_pixel(const work* of, int32_t offset, int8_t* pixel) {
    int8_t buffer[BUFFER_BYTES];
    const int32_t rows = of->conv->window.rows, columns = of->conv->window.columns;
    for (int32_t group = 0; group < of->conv->groups; ++group, offset += of->depth) {
        if (rows == 1) {
            group_of(of, group, of->rows[0] + offset, NULL, pixel, buffer);
        } else if (of->filter_bytes <= BUFFER_BYTES) {
            gather_runs(of->rows, rows, offset, columns * of->depth, buffer);
            group_of(of, group, buffer, NULL, pixel, buffer);
        } else {
            const place at = {0, columns, offset - group * of->depth};
            group_of(of, group, NULL, &at, pixel, buffer);
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
    /* Windows that start in [0, last] are inside. */
    const int may_be_inner = is_contiguous(&of, window.columns) && !has_padding(rows, window.rows);
    const int32_t last = may_be_inner ? in->columns - 1 - (window.columns - 1) * window.dilation : -1;
    int32_t origin = -window.pad;
    for (int32_t x = out->columns; x > 0; --x, origin += window.stride, output += out->stride) {
        if (0 <= origin && origin <= last) {
            inner_pixel(&of, origin * in->stride, output);
        } else {
            place at;
            split_clip_window(&window, origin, in->columns, &at.begin, &at.end);
            at.offset = (origin + at.begin * window.dilation) * in->stride;
            any_pixel(&of, &at, output);
        }
    }
}

#endif /* SPLIT_NN_MVE */
