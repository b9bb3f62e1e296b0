/* CONV_INT16 and, with a 1x1 window, FULLY_CONNECTED: one output row on MVE.
 *
 * A value is 256 * high + low, both int8, so a vector of sixteen weights is loaded once for sixteen values. The sums of the
 * products with either are kept apart; they have room for far more products than a window has. Stack: below 1000 bytes. */
#include "../target.h"

#if defined(SPLIT_NN_MVE)

#include "helium.h"
#include "../shared_int16.h"

#define BATCH 32         /* filters */
#define HELD 48          /* values that stay in registers for all filters */
#define MOST_VALUES 8192 /* of a filter; longer ones are computed one product at a time */
#define TOO_HIGH 32640   /* from here on `high` would be 128 */

typedef struct halves {
    int32_t high, low;
} halves;

typedef struct task {
    halves* sums;
    int32_t filters;
    const int8_t* weights;
    int32_t filter; /* bytes from one filter's weights to the next one's */
} task;

/* Returns which lanes would have needed a `high` of 128. They have 127. */
SPLIT_ALWAYS_INLINE int8x16x2_t part(const int16_t* values, mve_pred16_t unused, uint32_t* over) {
    int8x16x2_t of = vld2q_s8((const int8_t*)(const void*)values);
    const int8x16_t borrow = vshrq_n_s8(of.val[0], 7), none = vdupq_n_s8(0);
    const int8x16_t high = vqsubq_s8(of.val[1], borrow);
    *over |= vcmpneq_s8(high, vsubq_s8(of.val[1], borrow));
    of.val[0] = vpselq_s8(none, of.val[0], unused);
    of.val[1] = vpselq_s8(none, high, unused);
    return of;
}

/* `count` values, 16 .. 48, in `vectors` vectors of which the last one ends where they end. */
SPLIT_ALWAYS_INLINE uint32_t held_dots(task of, const int16_t* values, int32_t count, int32_t vectors) {
    const int32_t tail = count - SPLIT_MVE_BYTES;
    uint32_t over = 0;
    int8x16x2_t held0, held1, last;
    last = part(values + tail, vctp8q((uint32_t)(SPLIT_MVE_BYTES * vectors - count)), &over);
    held0 = vectors > 1 ? part(values, 0, &over) : last;
    held1 = vectors > 2 ? part(values + SPLIT_MVE_BYTES, 0, &over) : last;
    for (; of.filters > 0; --of.filters) {
        int32_t high = of.sums->high, low = of.sums->low;
        if (vectors > 1) {
            const int8x16_t weights = vldrbq_s8(of.weights);
            high = vmladavaq_s8(high, held0.val[1], weights);
            low = vmladavaq_s8(low, held0.val[0], weights);
        }
        if (vectors > 2) {
            const int8x16_t weights = vldrbq_s8(of.weights + SPLIT_MVE_BYTES);
            high = vmladavaq_s8(high, held1.val[1], weights);
            low = vmladavaq_s8(low, held1.val[0], weights);
        }
        const int8x16_t weights = vldrbq_s8(of.weights + tail);
        of.sums->high = vmladavaq_s8(high, last.val[1], weights);
        of.sums->low = vmladavaq_s8(low, last.val[0], weights);
        ++of.sums;
        of.weights += of.filter;
    }
    return over;
}

SPLIT_ALWAYS_INLINE uint32_t short_dots(task of, const int16_t* values, int32_t count) {
    int16_t copy[SPLIT_MVE_BYTES];
    const mve_pred16_t p = vctp8q((uint32_t)count);
    uint32_t over = 0;
    vstrhq_s16(copy, vldrhq_z_s16(values, vctp16q((uint32_t)count)));
    vstrhq_s16(copy + 8, count > 8 ? vldrhq_z_s16(values + 8, vctp16q((uint32_t)(count - 8))) : vdupq_n_s16(0));
    const int8x16x2_t held = part(copy, 0, &over);
    for (; of.filters > 0; --of.filters, ++of.sums, of.weights += of.filter) {
        const int8x16_t weights = vldrbq_z_s8(of.weights, p);
        of.sums->high = vmladavaq_s8(of.sums->high, held.val[1], weights);
        of.sums->low = vmladavaq_s8(of.sums->low, held.val[0], weights);
    }
    return over;
}

SPLIT_MVE_CASE uint32_t some_dots(task of, const int16_t* values, int32_t count) {
    if (count == HELD) {
        return held_dots(of, values, HELD, 3);
    }
    if (count > 32) {
        return held_dots(of, values, count, 3);
    }
    if (count > 16) {
        return held_dots(of, values, count, 2);
    }
    return count == 16 ? held_dots(of, values, 16, 1) : short_dots(of, values, count);
}

/* Adds 1 to `high` of each value that is too high for `part`. */
SPLIT_MVE_CASE void add_excess(task of, const int16_t* values, int32_t count) {
    int16_t excess[HELD];
    for (int32_t i = 0; i < count; i += 8) {
        const mve_pred16_t p = vctp16q((uint32_t)(count - i));
        const mve_pred16_t over = vcmpgeq_n_s16(vldrhq_z_s16(values + i, p), TOO_HIGH);
        vstrhq_s16(excess + i, vpselq_s16(vdupq_n_s16(256), vdupq_n_s16(0), over));
    }
    (void)some_dots(of, excess, count);
}

static void add_run(task of, const int16_t* values, int32_t count) {
    while (count > 0) {
        const int32_t done = count < HELD ? count : HELD;
        if (some_dots(of, values, done) != 0) {
            add_excess(of, values, done);
        }
        values += done;
        of.weights += done;
        count -= done;
    }
}

/* Are all biases below 2^30, and all shifts in -16..0, and is there one per channel? */
SPLIT_MVE_CASE int is_narrow(const split_conv_int16* conv, int32_t channels) {
    int narrow = conv->scaling.step == 1 && !conv->scaling.sums_32;
    for (int32_t c = 0; narrow && c < channels; ++c) {
        const int32_t low = conv->bias[2 * c], high = conv->bias[2 * c + 1], shift = conv->scaling.shifts[c];
        narrow =
            high == low >> 31 && (uint32_t)low + (UINT32_C(1) << 30) < UINT32_C(1) << 31 && -16 <= shift && shift <= 0;
    }
    return narrow;
}

/* With sums below 2^31, split_requantize_wide() is one VQRDMULH by the multiplier, shifted beforehand. */
SPLIT_MVE_CASE void store(const split_conv_int16* conv, int32_t channel, const halves* sums, int32_t count, int narrow,
                          int16_t* output) {
    const split_scaling_int16* to = &conv->scaling;
    const uint32x4_t pairs = vidupq_n_u32(0, 2);
    const int32x4_t low_limit = vdupq_n_s32(to->min), high_limit = vdupq_n_s32(to->max), most = vdupq_n_s32(0x7FFF);
    int32_t done = 0;
    for (; narrow && count - done >= SPLIT_MVE_WORDS; done += SPLIT_MVE_WORDS) {
        const int32x4x2_t both = vld2q_s32(&sums[done].high);
        if (vmaxavq_s32(0, both.val[0]) >= UINT32_C(1) << 21) {
            break;
        }
        int32x4_t value = vaddq_s32(vshlq_n_s32(both.val[0], 8), both.val[1]);
        value = vaddq_s32(value, vldrwq_gather_shifted_offset_s32(conv->bias + 2 * (channel + done), pairs));
        const int32x4_t reduced = vminq_s32(vrshrq_n_s32(vldrwq_s32(to->multipliers + channel + done), 16), most);
        const int32x4_t shift = vaddq_n_s32(vldrbq_s32(to->shifts + channel + done), 16);
        value = vqrdmulhq_s32(value, vshlq_s32(reduced, shift));
        vstrhq_s32(output + done, vminq_s32(vmaxq_s32(value, low_limit), high_limit));
    }
    for (; done < count; ++done) {
        const uint64_t sum = (uint64_t)((int64_t)sums[done].high * 256 + sums[done].low);
        output[done] = split_to_int16(to, channel + done, sum + split_join_halves(conv->bias + 2 * (channel + done)));
    }
}

/* One product at a time. */
SPLIT_MVE_CASE int16_t long_window(const split_conv_int16* conv, const int16_t* const* rows, const split_pixels* in,
                                   split_reach at, int32_t depth, int32_t channel, int32_t from) {
    const split_window* window = &conv->window;
    uint64_t sum = split_join_halves(conv->bias + 2 * channel);
    const int8_t* weights = conv->weights + channel * window->rows * window->columns * depth;
    for (int32_t k = 0; k < window->rows; ++k) {
        for (int32_t t = 0; t < window->columns; ++t, weights += depth) {
            if (rows[k] != NULL && at.begin <= t && t < at.end) {
                const int16_t* pixel = split_pixel_int16(rows[k], at.origin + t * window->dilation, in->stride);
                sum += split_dot_int16(weights, pixel + from, depth);
            }
        }
    }
    return split_to_int16(&conv->scaling, channel, sum);
}

/* Copies a window of up to HELD values, with zeros for padding. */
SPLIT_MVE_CASE void gather(const split_window* window, const int16_t* const* rows, const split_pixels* in,
                           split_reach at, int32_t depth, int32_t from, int16_t* copy) {
    for (int32_t i = 0; i < HELD; i += 8) {
        vstrhq_s16(copy + i, vdupq_n_s16(0));
    }
    for (int32_t k = 0; k < window->rows; ++k, copy += window->columns * depth) {
        for (int32_t t = at.begin; rows[k] != NULL && t < at.end; ++t) {
            const int16_t* pixel = split_pixel_int16(rows[k], at.origin + t * window->dilation, in->stride) + from;
            for (int32_t c = 0; c < depth; c += 8) {
                const mve_pred16_t p = vctp16q((uint32_t)(depth - c));
                vstrhq_p_s16(copy + t * depth + c, vldrhq_z_s16(pixel + c, p), p);
            }
        }
    }
}

/* The filters of `of`, whose sums are 0 before. */
SPLIT_MVE_CASE void add_window(task of, const split_window* window, const int16_t* const* rows, const split_pixels* in,
                               split_reach at, int32_t depth, int32_t from) {
    int16_t copy[HELD];
    if (of.filter <= HELD && window->rows * window->columns > 1) {
        gather(window, rows, in, at, depth, from, copy);
        add_run(of, copy, of.filter);
        return;
    }
    const int joined = window->dilation == 1 && in->stride == depth * (int32_t)sizeof(int16_t);
    const int32_t taps = at.end - at.begin, count = joined ? taps * depth : depth;
    const int8_t* weights = of.weights + at.begin * depth;
    for (int32_t k = 0; k < window->rows; ++k, weights += window->columns * depth) {
        of.weights = weights;
        for (int32_t run = 0; rows[k] != NULL && run < (joined ? taps > 0 : taps); ++run, of.weights += depth) {
            add_run(of, split_pixel_int16(rows[k], at.origin + (at.begin + run) * window->dilation, in->stride) + from,
                    count);
        }
    }
}

void split_nn_conv_int16_row(const split_conv_int16* conv, const int16_t* const* rows, const split_pixels* in,
                             int16_t* output, const split_pixels* out) {
    const split_window* const window = &conv->window;
    const int32_t depth = in->channels / conv->groups, filters = out->channels / conv->groups;
    const int32_t filter = window->rows * window->columns * depth;
    const int narrow = filter <= MOST_VALUES && is_narrow(conv, out->channels);
    halves sums[BATCH];
    for (int32_t x = 0; x < out->columns; ++x) {
        const split_reach at = split_reach_of(window, x, in->columns);
        int16_t* pixel = split_output_int16(output, x, out->stride);
        for (int32_t first = 0, left = filters, from = 0, count; first < out->channels; first += count) {
            count = left < BATCH ? left : BATCH;
            if (filter > MOST_VALUES) {
                count = 1;
                pixel[first] = long_window(conv, rows, in, at, depth, first, from);
            } else {
                const task of = {sums, count, conv->weights + first * filter, filter};
                for (int32_t f = 0; f < count; f += 2) {
                    vstrwq_s32(&sums[f].high, vdupq_n_s32(0));
                }
                add_window(of, window, rows, in, at, depth, from);
                store(conv, first, sums, count, narrow, pixel + first);
            }
            left -= count;
            if (left == 0) {
                left = filters;
                from += depth;
            }
        }
    }
}

#endif /* SPLIT_NN_MVE */
