/* Windows of convolutions on MVE: where they lie, copies of small ones, and dot products of large ones. */
#ifndef SPLIT_NN_HELIUM_WINDOW_H_
#define SPLIT_NN_HELIUM_WINDOW_H_

#include <stddef.h>
#include <string.h>

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
    int32_t step;    /* bytes from one window column to the next */
    int32_t at_once; /* 1: a window that is a run goes through split_mve_store_dots() */
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
SPLIT_ALWAYS_INLINE void gather_runs(const int8_t* const* rows, int32_t row_count, int32_t offset, int32_t bytes,
                                     int8_t* run) {
    if (bytes <= SPLIT_MVE_BYTES) {
        const mve_pred16_t p = vctp8q((uint32_t)bytes);
        for (; row_count > 0; --row_count, run += bytes) {
            vstrbq_p_s8(run, vldrbq_z_s8(*rows++ + offset, p), p);
        }
        return;
    }
    const int32_t before = (bytes - 1) / SPLIT_MVE_BYTES, last = bytes - SPLIT_MVE_BYTES;
    for (; row_count > 0; --row_count, run += bytes) {
        const int8_t* from = *rows++ + offset;
        vstrbq_s8(run + last, vldrbq_s8(from + last)); /* the last vector may overlap the one before it */
        int8_t* to = run;
        for (int32_t vectors = before; vectors > 0; --vectors) {
            vstrbq_s8(to, vldrbq_s8(from));
            to += SPLIT_MVE_BYTES;
            from += SPLIT_MVE_BYTES;
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

static inline int has_padding(const int8_t* const* rows, int32_t count) {
    int32_t k = 0;
    while (k < count && rows[k] != NULL) {
        ++k;
    }
    return k < count;
}

#endif /* SPLIT_NN_HELIUM_WINDOW_H_ */
