/* CONV and, with a 1x1 window, FULLY_CONNECTED: one output row on MVE.
 *
 * A window that is one run of bytes in memory is used where it lies. A small one that is not (several rows,
 * padding, gaps between pixels) is gathered into a buffer first: that is cheaper than starting a dot product
 * per row and filter. A large one is taken row by row. Stack: below 450 bytes. */
#include <stddef.h>

#include "split_nn_internal.h"
#include "split_nn_target.h"

#if defined(SPLIT_NN_MVE)

#include "split_nn_mve.h"

/* The largest window that is gathered. */
#define GATHERED_BYTES 160

/* Vectors of input that are kept in registers while all filters pass by. */
#define HELD_VECTORS 4

/* The filters of one group, and the output pixel they make. */
typedef struct filters {
    split_requantization scales;
    const int32_t* bias;
    const int8_t* weights;
    int8_t* pixel;
    int32_t bytes; /* of one filter */
    int32_t first; /* output channels [first, end) */
    int32_t end;
} filters;

/* Where the window of one output pixel lies. */
typedef struct place {
    const int8_t* const* rows;
    int32_t row_count;
    int32_t columns; /* of the window; [begin, end) of them lie inside the input */
    int32_t begin;
    int32_t end;
    int32_t offset;     /* of column `begin` from the start of a row, first channel of the group */
    int32_t step;       /* bytes from one window column to the next */
    int32_t depth;      /* channels of the group */
    int32_t zero_point; /* what a tap outside the input reads */
} place;

/* Columns that follow one another without a gap are one run. */
SPLIT_MVE_INLINE int is_contiguous(const place* at) {
    return at->step == at->depth || at->end - at->begin <= 1;
}

SPLIT_MVE_INLINE const int8_t* weights_of(const filters* to, int32_t channel) {
    return to->weights + (channel - to->first) * to->bytes;
}

/* Filters are taken four at a time. The last four may overlap those before: doing a channel again is harmless,
 * its window is still what it was. */
SPLIT_MVE_INLINE int32_t next_four(const filters* to, int32_t channel) {
    const int32_t last = to->end - SPLIT_MVE_WORDS;
    return channel + SPLIT_MVE_WORDS < last ? channel + SPLIT_MVE_WORDS : last;
}

SPLIT_MVE_INLINE int is_last(const filters* to, int32_t channel) {
    return channel + SPLIT_MVE_WORDS == to->end;
}

SPLIT_MVE_INLINE void finish_four(const filters* to, int32_t channel, const int32_t sums[SPLIT_MVE_WORDS]) {
    const int32x4_t sum = vaddq_s32(vldrwq_s32(sums), vldrwq_s32(to->bias + channel));
    split_mve_store4(&to->scales, channel, sum, to->pixel + channel);
}

SPLIT_MVE_INLINE void finish_few(const filters* to, const int32_t sums[SPLIT_MVE_WORDS]) {
    const mve_pred16_t p = vctp32q((uint32_t)(to->end - to->first));
    const int32x4_t sum = vaddq_s32(vldrwq_s32(sums), vldrwq_z_s32(to->bias + to->first, p));
    split_mve_store(&to->scales, to->first, sum, to->pixel + to->first, p);
}

/* A run of 16..64 bytes in registers: `count` vectors, the last of which starts at `tail` and ends with the
 * run; its lanes that the vector before it has too are 0. */
typedef struct held_run {
    int8x16_t vector0, vector1, vector2, last;
    int32_t tail;
} held_run;

SPLIT_MVE_INLINE held_run hold(const int8_t* run, int32_t bytes, int32_t count) {
    const int8x16_t none = vdupq_n_s8(0);
    held_run held = {none, none, none, none, bytes - SPLIT_MVE_BYTES};
    const mve_pred16_t twice = vctp8q((uint32_t)(SPLIT_MVE_BYTES * count - bytes));
    held.last = vldrbq_z_s8(run + held.tail, (mve_pred16_t)~twice);
    if (count > 1) {
        held.vector0 = vldrbq_s8(run);
    }
    if (count > 2) {
        held.vector1 = vldrbq_s8(run + SPLIT_MVE_BYTES);
    }
    if (count > 3) {
        held.vector2 = vldrbq_s8(run + 2 * SPLIT_MVE_BYTES);
    }
    return held;
}

SPLIT_MVE_INLINE int32_t held_dot(const held_run* held, int32_t count, const int8_t* weights) {
    int32_t sum = vmladavq_s8(held->last, vldrbq_s8(weights + held->tail));
    if (count > 1) {
        sum = vmladavaq_s8(sum, held->vector0, vldrbq_s8(weights));
    }
    if (count > 2) {
        sum = vmladavaq_s8(sum, held->vector1, vldrbq_s8(weights + SPLIT_MVE_BYTES));
    }
    if (count > 3) {
        sum = vmladavaq_s8(sum, held->vector2, vldrbq_s8(weights + 2 * SPLIT_MVE_BYTES));
    }
    return sum;
}

/* All filters on a run of 16 * (count - 1) + 1 .. 16 * count bytes, at least 16. */
SPLIT_MVE_INLINE void on_held_run(const filters* shared, const int8_t* run, int32_t count) {
    const filters to = *shared;
    const held_run held = hold(run, to.bytes, count);
    for (int32_t channel = to.first;; channel = next_four(&to, channel)) {
        const int8_t* weights = weights_of(&to, channel);
        int32_t sums[SPLIT_MVE_WORDS];
        sums[0] = held_dot(&held, count, weights);
        weights += to.bytes;
        SPLIT_MVE_OPAQUE(weights);
        sums[1] = held_dot(&held, count, weights);
        weights += to.bytes;
        SPLIT_MVE_OPAQUE(weights);
        sums[2] = held_dot(&held, count, weights);
        weights += to.bytes;
        SPLIT_MVE_OPAQUE(weights);
        sums[3] = held_dot(&held, count, weights);
        finish_four(&to, channel, sums);
        if (is_last(&to, channel)) {
            return;
        }
    }
}

SPLIT_MVE_CASE void on_run_of_16(const filters* to, const int8_t* run) {
    on_held_run(to, run, 1);
}
SPLIT_MVE_CASE void on_run_up_to_32(const filters* to, const int8_t* run) {
    on_held_run(to, run, 2);
}
SPLIT_MVE_CASE void on_run_up_to_48(const filters* to, const int8_t* run) {
    on_held_run(to, run, 3);
}
SPLIT_MVE_CASE void on_run_up_to_64(const filters* to, const int8_t* run) {
    on_held_run(to, run, 4);
}

/* All filters on a run of less than 16 bytes. */
SPLIT_MVE_CASE void on_short_run(const filters* shared, const int8_t* run) {
    const filters to = *shared;
    const mve_pred16_t p = vctp8q((uint32_t)to.bytes);
    const int8x16_t held = vldrbq_z_s8(run, p);
    for (int32_t channel = to.first;; channel = next_four(&to, channel)) {
        const int8_t* weights = weights_of(&to, channel);
        int32_t sums[SPLIT_MVE_WORDS];
        sums[0] = vmladavq_s8(held, vldrbq_z_s8(weights, p));
        sums[1] = vmladavq_s8(held, vldrbq_z_s8(weights + to.bytes, p));
        sums[2] = vmladavq_s8(held, vldrbq_z_s8(weights + 2 * to.bytes, p));
        sums[3] = vmladavq_s8(held, vldrbq_z_s8(weights + 3 * to.bytes, p));
        finish_four(&to, channel, sums);
        if (is_last(&to, channel)) {
            return;
        }
    }
}

/* All filters on a run of any length. */
SPLIT_MVE_CASE void on_long_run(const filters* shared, const int8_t* run) {
    const filters to = *shared;
    for (int32_t channel = to.first;; channel = next_four(&to, channel)) {
        int32_t sums[SPLIT_MVE_WORDS] = {0, 0, 0, 0};
        split_mve_add_dots4(sums, run, weights_of(&to, channel), to.bytes, to.bytes);
        finish_four(&to, channel, sums);
        if (is_last(&to, channel)) {
            return;
        }
    }
}

/* Fewer than four filters on a run. */
SPLIT_MVE_CASE void few_on_run(const filters* shared, const int8_t* run) {
    const filters to = *shared;
    int32_t sums[SPLIT_MVE_WORDS] = {0, 0, 0, 0};
    for (int32_t channel = to.first; channel < to.end; ++channel) {
        sums[channel - to.first] = split_mve_add_dot(0, run, weights_of(&to, channel), to.bytes);
    }
    finish_few(&to, sums);
}

static void on_run(const filters* to, const int8_t* run) {
    if (to->end - to->first < SPLIT_MVE_WORDS) {
        few_on_run(to, run);
    } else if (to->bytes < SPLIT_MVE_BYTES) {
        on_short_run(to, run);
    } else if (to->bytes == SPLIT_MVE_BYTES) {
        on_run_of_16(to, run);
    } else if (to->bytes <= 2 * SPLIT_MVE_BYTES) {
        on_run_up_to_32(to, run);
    } else if (to->bytes <= 3 * SPLIT_MVE_BYTES) {
        on_run_up_to_48(to, run);
    } else if (to->bytes <= 4 * SPLIT_MVE_BYTES) {
        on_run_up_to_64(to, run);
    } else {
        on_long_run(to, run);
    }
}

SPLIT_MVE_INLINE int8_t* copy(int8_t* to, const int8_t* from, int32_t bytes) {
    for (int32_t done = 0; done < bytes; done += SPLIT_MVE_BYTES) {
        const mve_pred16_t p = vctp8q((uint32_t)(bytes - done));
        vstrbq_p_s8(to + done, vldrbq_z_s8(from + done, p), p);
    }
    return to + bytes;
}

SPLIT_MVE_INLINE int8_t* fill(int8_t* to, int8x16_t value, int32_t bytes) {
    for (int32_t done = 0; done < bytes; done += SPLIT_MVE_BYTES) {
        vstrbq_p_s8(to + done, value, vctp8q((uint32_t)(bytes - done)));
    }
    return to + bytes;
}

/* Writes the window as one run, padding included. */
static void gather(const place* at, int8_t* run) {
    const int8x16_t padding = vdupq_n_s8((int8_t)at->zero_point);
    for (int32_t k = 0; k < at->row_count; ++k) {
        if (at->rows[k] == NULL || at->begin == at->end) {
            run = fill(run, padding, at->columns * at->depth);
            continue;
        }
        const int8_t* from = at->rows[k] + at->offset;
        run = fill(run, padding, at->begin * at->depth);
        if (is_contiguous(at)) {
            run = copy(run, from, (at->end - at->begin) * at->depth);
        } else {
            for (int32_t t = at->begin; t < at->end; ++t) {
                run = copy(run, from + (t - at->begin) * at->step, at->depth);
            }
        }
        run = fill(run, padding, (at->columns - at->end) * at->depth);
    }
}

/* sums[lane] += the padding's value * sum of the weights: what a stretch of padding adds. */
SPLIT_MVE_CASE void add_padding(int32_t sums[SPLIT_MVE_WORDS], int32_t lanes, const int8_t* weights, int32_t filter,
                                int32_t bytes, int32_t zero_point) {
    const int8x16_t padding = vdupq_n_s8((int8_t)zero_point);
    for (int32_t lane = 0; lane < lanes; ++lane, weights += filter) {
        for (int32_t done = 0; done < bytes; done += SPLIT_MVE_BYTES) {
            const int8x16_t weight = vldrbq_z_s8(weights + done, vctp8q((uint32_t)(bytes - done)));
            sums[lane] = vmladavaq_s8(sums[lane], weight, padding);
        }
    }
}

SPLIT_MVE_INLINE void add_dots(int32_t sums[SPLIT_MVE_WORDS], int32_t lanes, const int8_t* values, const int8_t* weights,
                            int32_t filter, int32_t bytes) {
    if (lanes == SPLIT_MVE_WORDS) {
        split_mve_add_dots4(sums, values, weights, filter, bytes);
        return;
    }
    for (int32_t lane = 0; lane < lanes; ++lane) {
        sums[lane] = split_mve_add_dot(sums[lane], values, weights + lane * filter, bytes);
    }
}

/* sums[lane] += dot product of the window with the `lane`th filter. */
SPLIT_MVE_INLINE void add_window(int32_t sums[SPLIT_MVE_WORDS], int32_t lanes, const int8_t* weights, int32_t filter,
                              const place* at) {
    const int32_t row_bytes = at->columns * at->depth;
    const int32_t before = at->begin * at->depth;
    const int32_t inside = (at->end - at->begin) * at->depth;
    const int32_t taps = is_contiguous(at) ? 1 : at->end - at->begin;
    const int32_t tap_bytes = taps == 1 ? inside : at->depth;
    for (int32_t k = 0; k < at->row_count; ++k, weights += row_bytes) {
        const int is_padding = at->rows[k] == NULL || inside == 0;
        if (is_padding || inside < row_bytes) {
            const int32_t left = is_padding ? row_bytes : before;
            const int32_t right = is_padding ? 0 : row_bytes - before - inside;
            add_padding(sums, lanes, weights, filter, left, at->zero_point);
            add_padding(sums, lanes, weights + (row_bytes - right), filter, right, at->zero_point);
        }
        for (int32_t t = 0; t < taps && !is_padding; ++t) {
            add_dots(sums, lanes, at->rows[k] + at->offset + t * at->step, weights + before + t * tap_bytes, filter,
                     tap_bytes);
        }
    }
}

/* All filters on a window that is neither one run nor small. */
SPLIT_MVE_CASE void on_rows(const filters* shared, const place* at) {
    const filters to = *shared;
    for (int32_t channel = to.first;; channel = next_four(&to, channel)) {
        int32_t sums[SPLIT_MVE_WORDS] = {0, 0, 0, 0};
        add_window(sums, SPLIT_MVE_WORDS, weights_of(&to, channel), to.bytes, at);
        finish_four(&to, channel, sums);
        if (is_last(&to, channel)) {
            return;
        }
    }
}

/* Fewer than four filters on such a window. */
SPLIT_MVE_CASE void few_on_rows(const filters* to, const place* at) {
    int32_t sums[SPLIT_MVE_WORDS] = {0, 0, 0, 0};
    add_window(sums, to->end - to->first, to->weights, to->bytes, at);
    finish_few(to, sums);
}

SPLIT_MVE_CASE void on_gathered(const filters* to, const place* at) {
    int8_t run[GATHERED_BYTES];
    gather(at, run);
    on_run(to, run);
}

static void on_window(const filters* to, const place* at) {
    if (at->row_count == 1 && at->rows[0] != NULL && at->end - at->begin == at->columns && is_contiguous(at)) {
        on_run(to, at->rows[0] + at->offset);
    } else if (to->bytes <= GATHERED_BYTES) {
        on_gathered(to, at);
    } else if (to->end - to->first < SPLIT_MVE_WORDS) {
        few_on_rows(to, at);
    } else {
        on_rows(to, at);
    }
}

void split_nn_conv_row(const split_conv* conv, const int8_t* const* rows, const split_pixels* in, int8_t* output,
                       const split_pixels* out) {
    const split_window* window = &conv->window;
    const int32_t depth = in->channels / conv->groups;
    const int32_t group_filters = out->channels / conv->groups;
    split_mve_shared_scale shared;
    filters to = {split_mve_scales(&conv->requantization, &shared), conv->bias, NULL, output,
                  window->rows * window->columns * depth,           0,          0};
    place at = {rows, window->rows, window->columns, 0, 0, 0, window->dilation * in->stride, depth,
                conv->input_zero_point};
    int32_t origin = -window->pad;
    for (int32_t x = 0; x < out->columns; ++x, origin += window->stride, to.pixel += out->stride) {
        split_clip_window(window, origin, in->columns, &at.begin, &at.end);
        at.offset = (origin + at.begin * window->dilation) * in->stride;
        to.weights = conv->weights;
        to.end = 0;
        for (int32_t group = 0; group < conv->groups; ++group) {
            to.first = to.end;
            to.end += group_filters;
            on_window(&to, &at);
            to.weights += group_filters * to.bytes;
            at.offset += depth;
        }
    }
}

#endif /* SPLIT_NN_MVE */
