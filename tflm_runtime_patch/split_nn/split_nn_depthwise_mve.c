/* DEPTHWISE: one output row on MVE, sixteen channels at a time. Stack: below 450 bytes.
 *
 * The product of two int8 fits an int16, a sum of them does not, and widening every product would cost more
 * than all the rest. So a sum is kept as two int16: `low`, the sum modulo 2^16, and `high`, an estimate in
 * units of `unit` that is too small by less than 2^16. Then the rest, sum - high * unit, is (low - high * unit)
 * modulo 2^16: only these two are widened, once per channel. */
#include <stddef.h>

#include "split_nn_internal.h"
#include "split_nn_target.h"

#if defined(SPLIT_NN_MVE)

#include "split_nn_mve.h"

/* The channels of a pixel that are computed together: `count` of them, 1..16, those in `p`. */
typedef struct block {
    int32_t first;
    int32_t count;
    mve_pred16_t p;
} block;

/* Where the window of one output pixel lies. */
typedef struct place {
    const int8_t* const* rows;
    int32_t begin; /* window columns [begin, end) lie inside the input */
    int32_t end;
    int32_t offset; /* of column `begin` from the start of a row */
    int32_t step;   /* bytes from one window column to the next */
} place;

/* How a block's channels are found in an input pixel. */
typedef enum layout {
    ALL_16,   /* at [first, first + 16) */
    SOME,     /* at [first, first + count) */
    REPEATED, /* each is read by `groups` output channels */
} layout;

/* Where even and odd lanes are widened twice, lane i of the vector that comes out for `part` is channel
 * 4 * i + part: stores it there. */
SPLIT_MVE_INLINE void put_in_order(int32_t sums[SPLIT_MVE_BYTES], int32_t part, int32x4_t sum) {
    vstrwq_scatter_shifted_offset_s32(sums + part, vidupq_n_u32(0, 4), sum);
}

SPLIT_MVE_INLINE int8x16_t load(layout kind, const int8_t* from, mve_pred16_t p) {
    return kind == ALL_16 ? vldrbq_s8(from) : vldrbq_z_s8(from, p);
}

/* Adds the bias and writes the block. */
SPLIT_MVE_INLINE void finish(layout kind, const split_conv* conv, const split_requantization* shared, const block* of,
                             const int32_t sums[SPLIT_MVE_BYTES], int8_t* pixel) {
    const split_requantization scales = *shared;
    const int32_t first = of->first, count = kind == ALL_16 ? SPLIT_MVE_BYTES : of->count;
    const int32_t* bias = conv->bias + first;
    pixel += first;
    int32_t done = 0;
    for (; done + SPLIT_MVE_WORDS <= count; done += SPLIT_MVE_WORDS) {
        const int32x4_t sum = vaddq_s32(vldrwq_s32(sums + done), vldrwq_s32(bias + done));
        split_mve_store4(&scales, first + done, sum, pixel + done);
    }
    if (done < count) {
        const mve_pred16_t p = vctp32q((uint32_t)(count - done));
        const int32x4_t sum = vaddq_s32(vldrwq_s32(sums + done), vldrwq_z_s32(bias + done, p));
        split_mve_store(&scales, first + done, sum, pixel + done, p);
    }
}

/* --- any window ------------------------------------------------------------------------------------------ */

/* `high` in units of 2^8: rounding one product down misses less than one, so the rest of 256 products is below
 * 2^16. */
#define PARTIAL_TAPS 256

typedef struct partial {
    int16x8_t low_even, low_odd, high_even, high_odd;
    int32_t taps;
} partial;

SPLIT_MVE_INLINE partial nothing(void) {
    const int16x8_t zero = vdupq_n_s16(0);
    const partial sum = {zero, zero, zero, zero, 0};
    return sum;
}

SPLIT_MVE_INLINE void add_in_order(int32_t sums[SPLIT_MVE_BYTES], int32_t part, uint32x4_t rest, int32x4_t high) {
    const int32x4_t before = vldrwq_gather_shifted_offset_s32(sums + part, vidupq_n_u32(0, 4));
    put_in_order(sums, part, vaddq_s32(before, vaddq_s32(vreinterpretq_s32_u32(rest), high)));
}

SPLIT_MVE_INLINE void add_partial(int32_t sums[SPLIT_MVE_BYTES], const partial* sum) {
    const int16x8_t even = sum->high_even, odd = sum->high_odd;
    const uint16x8_t rest_even = vreinterpretq_u16_s16(vsubq_s16(sum->low_even, vshlq_n_s16(even, 8)));
    const uint16x8_t rest_odd = vreinterpretq_u16_s16(vsubq_s16(sum->low_odd, vshlq_n_s16(odd, 8)));
    add_in_order(sums, 0, vmovlbq_u16(rest_even), vshllbq_n_s16(even, 8));
    add_in_order(sums, 1, vmovlbq_u16(rest_odd), vshllbq_n_s16(odd, 8));
    add_in_order(sums, 2, vmovltq_u16(rest_even), vshlltq_n_s16(even, 8));
    add_in_order(sums, 3, vmovltq_u16(rest_odd), vshlltq_n_s16(odd, 8));
}

SPLIT_MVE_INLINE void add_tap(partial* to, int8x16_t value, int8x16_t weight) {
    const int16x8_t even = vmullbq_int_s8(value, weight);
    const int16x8_t odd = vmulltq_int_s8(value, weight);
    to->low_even = vaddq_s16(to->low_even, even);
    to->low_odd = vaddq_s16(to->low_odd, odd);
    to->high_even = vaddq_s16(to->high_even, vshrq_n_s16(even, 8));
    to->high_odd = vaddq_s16(to->high_odd, vshrq_n_s16(odd, 8));
}

/* offsets[i]: from the input channel that output channel `first` reads to the one that first + i reads. */
static void repeat(uint8_t offsets[SPLIT_MVE_BYTES], int32_t first, int32_t multiplier) {
    int32_t copy = first % multiplier;
    uint8_t offset = 0;
    for (int32_t i = 0; i < SPLIT_MVE_BYTES; ++i) {
        offsets[i] = offset;
        if (++copy == multiplier) {
            copy = 0;
            ++offset;
        }
    }
}

SPLIT_MVE_INLINE void block_of_any(layout kind, const split_conv* conv, const split_requantization* scales,
                                   const place* at, const block* of, int32_t channels, int8_t* pixel) {
    const int32_t rows = conv->window.rows, columns = conv->window.columns, step = at->step;
    const int32_t begin = at->begin < at->end ? at->begin : columns, end = at->begin < at->end ? at->end : columns;
    const int8x16_t padding = vdupq_n_s8((int8_t)conv->input_zero_point);
    const mve_pred16_t p = of->p;
    const int8_t* weights = conv->weights + of->first;
    int32_t sums[SPLIT_MVE_BYTES] = {0};
    partial sum = nothing();
    uint8x16_t offsets = vdupq_n_u8(0);
    int32_t first = of->first;
    if (kind == REPEATED) {
        uint8_t places[SPLIT_MVE_BYTES];
        repeat(places, of->first, conv->groups);
        offsets = vldrbq_u8(places);
        first = of->first / conv->groups;
    }
    for (int32_t k = 0; k < rows; ++k) {
        const int8_t* row = at->rows[k];
        const int8_t* from = row == NULL ? NULL : row + at->offset + first;
        for (int32_t t = 0; t < columns; weights += channels, ++t) {
            const int is_inside = row != NULL && begin <= t && t < end;
            int8x16_t value = padding;
            if (is_inside) {
                value = kind == REPEATED ? vldrbq_gather_offset_z_s8(from, offsets, p) : load(kind, from, p);
                from += step;
            }
            add_tap(&sum, value, load(kind, weights, p));
            if (++sum.taps == PARTIAL_TAPS) {
                add_partial(sums, &sum);
                sum = nothing();
            }
        }
    }
    add_partial(sums, &sum);
    finish(kind, conv, scales, of, sums, pixel);
}

SPLIT_MVE_CASE void any_block(const split_conv* conv, const split_requantization* scales, const place* at,
                              const block* of, int32_t channels, int8_t* pixel) {
    if (conv->groups > 1) {
        block_of_any(REPEATED, conv, scales, at, of, channels, pixel);
    } else if (of->count < SPLIT_MVE_BYTES) {
        block_of_any(SOME, conv, scales, at, of, channels, pixel);
    } else {
        block_of_any(ALL_16, conv, scales, at, of, channels, pixel);
    }
}

/* --- 3x3, all of it inside ------------------------------------------------------------------------------- */

/* The sums of a 3x3 window, p0 + ... + p8, for even and odd channels. `high` will be the mean of floor(p / 2^8)
 * over p0 .. p7 in int8, by halving adds that round down three times: in its unit 2^11 it misses less than
 * 1 + 3/2. The rest of the sum with p8 lies above -2^14 and below 2^14 + 5/2 * 2^11: an int16. */
typedef struct window_sum {
    int16x8_t low_even, low_odd;
} window_sum;

/* Adds the products of a tap, and gives their upper bytes. */
SPLIT_MVE_INLINE int8x16_t tap(window_sum* sum, layout kind, const int8_t* from, const int8_t* weights,
                               mve_pred16_t p) {
    const int8x16_t value = load(kind, from, p), weight = load(kind, weights, p);
    sum->low_even = vaddq_s16(sum->low_even, vmullbq_int_s8(value, weight));
    sum->low_odd = vaddq_s16(sum->low_odd, vmulltq_int_s8(value, weight));
    int8x16_t upper = vmulhq_s8(value, weight);
    SPLIT_MVE_NOW(sum->low_even, sum->low_odd);
    return upper;
}

SPLIT_MVE_INLINE void block_of_3x3(layout kind, const split_conv* conv, const split_requantization* scales,
                                   const place* at, const block* of, int32_t channels, int8_t* pixel) {
    const mve_pred16_t p = of->p;
    const int32_t step = at->step, offset = at->offset + of->first;
    const int8_t* from0 = at->rows[0] + offset;
    const int8_t* from1 = at->rows[1] + offset;
    const int8_t* from2 = at->rows[2] + offset;
    const int8_t* weights = conv->weights + of->first;
    window_sum sum = {vdupq_n_s16(0), vdupq_n_s16(0)};
    int8x16_t high = tap(&sum, kind, from0, weights, p);
    high = vhaddq_s8(high, tap(&sum, kind, from0 += step, weights += channels, p));
    int8x16_t more = tap(&sum, kind, from0 += step, weights += channels, p);
    more = vhaddq_s8(more, tap(&sum, kind, from1, weights += channels, p));
    high = vhaddq_s8(high, more);
    more = tap(&sum, kind, from1 += step, weights += channels, p);
    more = vhaddq_s8(more, tap(&sum, kind, from1 += step, weights += channels, p));
    int8x16_t last = tap(&sum, kind, from2, weights += channels, p);
    last = vhaddq_s8(last, tap(&sum, kind, from2 += step, weights += channels, p));
    high = vhaddq_s8(high, vhaddq_s8(more, last));
    (void)tap(&sum, kind, from2 += step, weights += channels, p);

    const int16x8_t even = vmovlbq_s8(high), odd = vmovltq_s8(high);
    const int16x8_t rest_even = vmlaq_n_s16(sum.low_even, even, -2048);
    const int16x8_t rest_odd = vmlaq_n_s16(sum.low_odd, odd, -2048);
    int32_t sums[SPLIT_MVE_BYTES];
    put_in_order(sums, 0, vmlaq_n_s32(vmovlbq_s16(rest_even), vmovlbq_s16(even), 2048));
    put_in_order(sums, 2, vmlaq_n_s32(vmovltq_s16(rest_even), vmovltq_s16(even), 2048));
    put_in_order(sums, 1, vmlaq_n_s32(vmovlbq_s16(rest_odd), vmovlbq_s16(odd), 2048));
    put_in_order(sums, 3, vmlaq_n_s32(vmovltq_s16(rest_odd), vmovltq_s16(odd), 2048));
    finish(kind, conv, scales, of, sums, pixel);
}

SPLIT_MVE_CASE void inner_3x3_block(const split_conv* conv, const split_requantization* scales, const place* at,
                                    const block* of, int32_t channels, int8_t* pixel) {
    if (of->count < SPLIT_MVE_BYTES) {
        block_of_3x3(SOME, conv, scales, at, of, channels, pixel);
    } else {
        block_of_3x3(ALL_16, conv, scales, at, of, channels, pixel);
    }
}

/* --------------------------------------------------------------------------------------------------------- */

static int is_3x3(const split_conv* conv, const int8_t* const* rows) {
    return conv->window.rows == 3 && conv->window.columns == 3 && conv->groups == 1 && rows[0] != NULL &&
           rows[1] != NULL && rows[2] != NULL;
}

void split_nn_depthwise_row(const split_conv* conv, const int8_t* const* rows, const split_pixels* in, int8_t* output,
                            const split_pixels* out) {
    const split_window* window = &conv->window;
    const int32_t channels = out->channels;
    const int all_rows_of_3x3 = is_3x3(conv, rows);
    split_mve_shared_scale shared;
    const split_requantization scales = split_mve_scales(&conv->requantization, &shared);
    place at = {rows, 0, 0, 0, window->dilation * in->stride};
    int32_t origin = -window->pad;
    for (int32_t x = 0; x < out->columns; ++x, origin += window->stride, output += out->stride) {
        split_clip_window(window, origin, in->columns, &at.begin, &at.end);
        at.offset = (origin + at.begin * window->dilation) * in->stride;
        const int is_inner_3x3 = all_rows_of_3x3 && at.end - at.begin == 3;
        for (int32_t first = 0; first < channels; first += SPLIT_MVE_BYTES) {
            const int32_t left = channels - first;
            const block of = {first, left < SPLIT_MVE_BYTES ? left : SPLIT_MVE_BYTES, vctp8q((uint32_t)left)};
            if (is_inner_3x3) {
                inner_3x3_block(conv, &scales, &at, &of, channels, output);
            } else {
                any_block(conv, &scales, &at, &of, channels, output);
            }
        }
    }
}

#endif /* SPLIT_NN_MVE */
