/* DEPTHWISE: one output row on MVE, sixteen channels at a time. Stack: below 850 bytes.
 *
 * The product of two int8 fits an int16, but a sum of products does not. Widening every product to int32 would cost
 * more than everything else. So a sum is kept as two int16:
 *   low    the sum modulo 2^16
 *   high   an estimate of the sum in units of 2^8 or 2^11, too small by less than 2^16
 * The error of the estimate is then (low - high * unit) modulo 2^16. Only this and `high` are widened, once per
 * channel. */
#include <stddef.h>
#include <string.h>

#include "../shared_int8.h"
#include "../target.h"

#if defined(SPLIT_NN_MVE)

#include "helium.h"

/* The addresses of up to this many taps are computed together, once for all channels. */
#define LISTED_TAPS 25

/* A tap: the addresses of its first channel in the input and in the weights. */
typedef struct tap {
    const int8_t* from;
    const int8_t* weights;
} tap;

/* Some taps of the window. The first `inside` entries of `taps` lie inside the input. Those that are padding are listed
 * from the end of `taps` backwards. */
typedef struct tap_list {
    int32_t start; /* number of the first one among the window's taps, counted row by row */
    int32_t inside;
    int32_t padding;
    tap taps[LISTED_TAPS];
} tap_list;

/* Where the window of one output pixel lies. */
typedef struct place {
    const int8_t* const* rows;
    int32_t origin; /* input pixel under window column 0 */
    int32_t begin;  /* window columns [begin, end) lie inside the input */
    int32_t end;
    int32_t stride; /* bytes from one input pixel to the next */
} place;

/* The channels of an output pixel that are computed together. */
typedef struct block {
    int32_t first;
    int32_t count; /* 1..16 */
    int32_t from;  /* the offset of the first of them in an input pixel */
} block;

/* How the channels of a block lie in an input pixel. */
typedef enum layout {
    ALL_16,
    SOME,     /* fewer than 16 channels */
    REPEATED, /* each input channel is read by several output channels */
} layout;

SPLIT_ALWAYS_INLINE int8x16_t load(layout kind, const int8_t* from, mve_pred16_t p) {
    return kind == ALL_16 ? vldrbq_s8(from) : vldrbq_z_s8(from, p);
}

/* Widening even and odd lanes twice leaves four vectors: lane i of vector `part` is channel 4 * i + part. This puts
 * them in order: sums[channel] = bias + sum, for the first `count` channels. */
SPLIT_ALWAYS_INLINE void put_in_order(layout kind, int32_t* sums, const int32_t* bias, int32_t count, int32_t part,
                                      int32x4_t sum) {
    const uint32x4_t channels = vidupq_n_u32(0, 4);
    int32x4_t biases;
    if (kind == ALL_16) {
        biases = vldrwq_gather_shifted_offset_s32(bias + part, channels);
    } else {
        const mve_pred16_t p = vctp32q((uint32_t)(count + 3 - part) / 4u);
        biases = vldrwq_gather_shifted_offset_z_s32(bias + part, channels, p);
    }
    vstrwq_scatter_shifted_offset_s32(sums + part, channels, vaddq_s32(sum, biases));
}

/* --- any window ------------------------------------------------------------------------------------------ */

/* `high` is in units of 2^8. Rounding a product down loses less than one unit. So LISTED_TAPS products lose less than
 * LISTED_TAPS units, which is less than 2^16. */
typedef struct partial {
    int16x8_t low_even, low_odd, high_even, high_odd;
} partial;

SPLIT_ALWAYS_INLINE void add_product(partial* to, int8x16_t value, int8x16_t weight) {
    const int16x8_t even = vmullbq_int_s8(value, weight);
    const int16x8_t odd = vmulltq_int_s8(value, weight);
    to->low_even = vaddq_s16(to->low_even, even);
    to->low_odd = vaddq_s16(to->low_odd, odd);
    to->high_even = vaddq_s16(to->high_even, vshrq_n_s16(even, 8));
    to->high_odd = vaddq_s16(to->high_odd, vshrq_n_s16(odd, 8));
}

SPLIT_ALWAYS_INLINE int32x4_t joined(uint32x4_t lacking, int32x4_t high) {
    return vaddq_s32(vreinterpretq_s32_u32(lacking), high);
}

SPLIT_ALWAYS_INLINE void finish_partial(layout kind, const partial* sum, int32_t* sums, const int32_t* bias,
                                        int32_t count) {
    const int16x8_t even = sum->high_even, odd = sum->high_odd;
    const uint16x8_t lacking_even = vreinterpretq_u16_s16(vsubq_s16(sum->low_even, vshlq_n_s16(even, 8)));
    const uint16x8_t lacking_odd = vreinterpretq_u16_s16(vsubq_s16(sum->low_odd, vshlq_n_s16(odd, 8)));
    put_in_order(kind, sums, bias, count, 0, joined(vmovlbq_u16(lacking_even), vshllbq_n_s16(even, 8)));
    put_in_order(kind, sums, bias, count, 2, joined(vmovltq_u16(lacking_even), vshlltq_n_s16(even, 8)));
    put_in_order(kind, sums, bias, count, 1, joined(vmovlbq_u16(lacking_odd), vshllbq_n_s16(odd, 8)));
    put_in_order(kind, sums, bias, count, 3, joined(vmovltq_u16(lacking_odd), vshlltq_n_s16(odd, 8)));
}

/* By lane: the offset of its input channel from that of the block's first lane. */
SPLIT_MVE_CASE uint8x16_t repeat(int32_t first, int32_t multiplier) {
    uint8_t distances[SPLIT_MVE_BYTES];
    int32_t copy = first % multiplier;
    uint8_t distance = 0;
    for (int32_t i = 0; i < SPLIT_MVE_BYTES; ++i) {
        distances[i] = distance;
        if (++copy == multiplier) {
            copy = 0;
            ++distance;
        }
    }
    return vldrbq_u8(distances);
}

/* Fills in `list` with the taps from `start` on. */
SPLIT_MVE_CASE void list_taps(tap_list* list, const split_conv* conv, const place* at, int32_t channels,
                              int32_t start) {
    const int32_t columns = conv->window.columns, step = conv->window.dilation * at->stride;
    const int32_t left = conv->window.rows * columns - start;
    const int8_t* const* rows = at->rows + start / columns;
    const int8_t* weights = conv->weights + start * channels;
    tap* inside = list->taps;
    tap* padding = list->taps + LISTED_TAPS;
    int32_t t = start % columns;
    for (int32_t room = left < LISTED_TAPS ? left : LISTED_TAPS; room > 0; ++rows, t = 0) {
        const int32_t stop = t + room < columns ? t + room : columns;
        const int32_t begin = *rows == NULL ? stop : split_clamp(at->begin, t, stop);
        const int32_t end = *rows == NULL ? stop : split_clamp(at->end, begin, stop);
        room -= stop - t;
        for (; t < begin; ++t, weights += channels) {
            (--padding)->weights = weights;
        }
        for (int32_t offset = at->origin * at->stride + t * step; t < end; ++t, offset += step) {
            inside->from = *rows + offset;
            inside->weights = weights;
            ++inside;
            weights += channels;
        }
        for (; t < stop; ++t, weights += channels) {
            (--padding)->weights = weights;
        }
    }
    list->start = start;
    list->inside = inside - list->taps;
    list->padding = list->taps + LISTED_TAPS - padding;
}

/* sums[16] = bias[16] + the products of the listed taps. */
SPLIT_ALWAYS_INLINE void block_of_any(layout kind, const split_conv* conv, const tap_list* list, const block* of,
                                      const int32_t* bias, int32_t* sums) {
    const mve_pred16_t p = vctp8q((uint32_t)of->count);
    const int32_t first = of->first, from = of->from;
    const uint8x16_t distances = kind == REPEATED ? repeat(first, conv->groups) : vdupq_n_u8(0);
    const int16x8_t zero = vdupq_n_s16(0);
    partial sum = {zero, zero, zero, zero};
    const tap* at = list->taps;
    for (int32_t n = list->inside; n > 0; --n, ++at) {
        const int8x16_t value = kind == REPEATED ? vldrbq_gather_offset_z_s8(at->from + from, distances, p)
                                                 : load(kind, at->from + from, p);
        add_product(&sum, value, load(kind, at->weights + first, p));
    }
    if (conv->input_zero_point != 0) {
        const int8x16_t padding = vdupq_n_s8((int8_t)conv->input_zero_point);
        at = list->taps + LISTED_TAPS;
        for (int32_t n = list->padding; n > 0; --n) {
            --at;
            add_product(&sum, padding, load(kind, at->weights + first, p));
        }
    }
    finish_partial(kind, &sum, sums, bias, of->count);
}

SPLIT_MVE_CASE void any_block(const split_conv* conv, const tap_list* list, const block* of, const int32_t* bias,
                              int32_t* sums) {
    if (conv->groups > 1) {
        block_of_any(REPEATED, conv, list, of, bias, sums);
    } else if (of->count < SPLIT_MVE_BYTES) {
        block_of_any(SOME, conv, list, of, bias, sums);
    } else {
        block_of_any(ALL_16, conv, list, of, bias, sums);
    }
}

/* --- one input channel, which every output channel reads --------------------------------------------------- */

/* Rounding a product down loses less than one unit of 2^8, so this many products lose less than 2^16. */
#define MOST_TAPS 256

/* Taps in the padding all read the same byte, which holds the padding's value. */
SPLIT_MVE_CASE void one_channel_block(const split_conv* conv, const place* at, const block* of, int32_t channels,
                                      int32_t* sums) {
    const mve_pred16_t p = vctp8q((uint32_t)of->count);
    const int8_t padding = (int8_t)conv->input_zero_point;
    const int32_t columns = conv->window.columns, begin = at->begin, end = at->end;
    const int32_t step = conv->window.dilation * at->stride;
    const int8_t* weights = conv->weights + of->first;
    const int16x8_t zero = vdupq_n_s16(0);
    partial sum = {zero, zero, zero, zero};
    for (int32_t k = 0; k < conv->window.rows; ++k) {
        const int8_t* row = at->rows[k];
        for (int32_t t = 0; t < columns;) {
            const int is_inside = row != NULL && begin <= t && t < end;
            const int32_t stop = is_inside ? end : row != NULL && t < begin ? begin : columns;
            const int8_t* from = is_inside ? row + (at->origin * at->stride + t * step) : &padding;
            const int32_t advance = is_inside ? step : 0;
            for (; t < stop; ++t, from += advance, weights += channels) {
                add_product(&sum, vdupq_n_s8(*from), vldrbq_z_s8(weights, p));
            }
        }
    }
    finish_partial(SOME, &sum, sums, conv->bias + of->first, of->count);
}

/* --- 3x3 -------------------------------------------------------------------------------------------------- */

/* The sum of the products p0 .. p8, for even and for odd channels.
 *
 * `high` is the mean of floor(p / 2^8) over p0 .. p7, an int8. It comes from halving adds, which round down three
 * times. So it is too small by less than 1 + 3/2, and high * 2^11 falls short of p0 + ... + p7 by less than 5/2 * 2^11.
 * `high` leaves p8 out. The error with p8 lies above -2^14 and below 2^14 + 5/2 * 2^11 + 1, so it fits an int16. */
typedef struct window_sum {
    int16x8_t low_even, low_odd;
    int8x16_t high;
} window_sum;

/* The products of the first tap. Returns their upper bytes. */
SPLIT_ALWAYS_INLINE int8x16_t first_tap(window_sum* sum, layout kind, const int8_t* from, const int8_t* weights,
                                        mve_pred16_t p) {
    const int8x16_t value = load(kind, from, p), weight = load(kind, weights, p);
    sum->low_even = vmullbq_int_s8(value, weight);
    sum->low_odd = vmulltq_int_s8(value, weight);
    return vmulhq_s8(value, weight);
}

/* Adds the products of a tap. Returns their upper bytes. */
SPLIT_ALWAYS_INLINE int8x16_t add_tap(window_sum* sum, layout kind, const int8_t* from, const int8_t* weights,
                                      mve_pred16_t p) {
    const int8x16_t value = load(kind, from, p), weight = load(kind, weights, p);
    sum->low_even = vaddq_s16(sum->low_even, vmullbq_int_s8(value, weight));
    sum->low_odd = vaddq_s16(sum->low_odd, vmulltq_int_s8(value, weight));
    const int8x16_t upper = vmulhq_s8(value, weight);
    SPLIT_MVE_NOW(sum->low_even, sum->low_odd);
    return upper;
}

/* The nine taps of a window, row by row: their addresses for the first channel of a batch. Those that are padding read bytes
 * of the padding's value. */
typedef struct taps_3x3 {
    const int8_t* from[9];
} taps_3x3;

/* A window inside the input: its rows at a block's first channel, the bytes from one tap to the next in them and in the weights. */
typedef struct inside_3x3 {
    const int8_t* row0;
    const int8_t* row1;
    const int8_t* row2;
    int32_t step;
    const int8_t* weights;
    int32_t next;
} inside_3x3;

/* The products of a block of a window inside the input. */
SPLIT_ALWAYS_INLINE window_sum inner_sums(layout kind, const inside_3x3* of, mve_pred16_t p) {
    const int32_t step = of->step, next = of->next;
    const int8_t *from = of->row0, *weights = of->weights;
    window_sum sum;
    sum.high = first_tap(&sum, kind, from, weights, p);
    sum.high = vhaddq_s8(sum.high, add_tap(&sum, kind, from += step, weights += next, p));
    int8x16_t more = add_tap(&sum, kind, from + step, weights += next, p);
    more = vhaddq_s8(more, add_tap(&sum, kind, from = of->row1, weights += next, p));
    sum.high = vhaddq_s8(sum.high, more);
    more = add_tap(&sum, kind, from += step, weights += next, p);
    more = vhaddq_s8(more, add_tap(&sum, kind, from + step, weights += next, p));
    int8x16_t last = add_tap(&sum, kind, from = of->row2, weights += next, p);
    last = vhaddq_s8(last, add_tap(&sum, kind, from += step, weights += next, p));
    sum.high = vhaddq_s8(sum.high, vhaddq_s8(more, last));
    (void)add_tap(&sum, kind, from + step, weights + next, p);
    return sum;
}

/* The same with taps that are listed, `offset` bytes further on. */
SPLIT_ALWAYS_INLINE window_sum listed_sums(layout kind, const taps_3x3* list, int32_t offset, const int8_t* weights,
                                           int32_t next, mve_pred16_t p) {
    const int8_t* const* from = list->from;
    window_sum sum;
    sum.high = first_tap(&sum, kind, from[0] + offset, weights, p);
    sum.high = vhaddq_s8(sum.high, add_tap(&sum, kind, from[1] + offset, weights += next, p));
    int8x16_t more = add_tap(&sum, kind, from[2] + offset, weights += next, p);
    more = vhaddq_s8(more, add_tap(&sum, kind, from[3] + offset, weights += next, p));
    sum.high = vhaddq_s8(sum.high, more);
    more = add_tap(&sum, kind, from[4] + offset, weights += next, p);
    more = vhaddq_s8(more, add_tap(&sum, kind, from[5] + offset, weights += next, p));
    int8x16_t last = add_tap(&sum, kind, from[6] + offset, weights += next, p);
    last = vhaddq_s8(last, add_tap(&sum, kind, from[7] + offset, weights += next, p));
    sum.high = vhaddq_s8(sum.high, vhaddq_s8(more, last));
    (void)add_tap(&sum, kind, from[8] + offset, weights + next, p);
    return sum;
}

/* Every fourth channel, from 0, 1, 2 or 3 on: the sums, without bias. */
SPLIT_ALWAYS_INLINE int32x4_t bottom_of(int16x8_t low, int16x8_t high) {
    return vmlaq_n_s32(vmovlbq_s16(low), vmovlbq_s16(high), 2048);
}

SPLIT_ALWAYS_INLINE int32x4_t top_of(int16x8_t low, int16x8_t high) {
    return vmlaq_n_s32(vmovltq_s16(low), vmovltq_s16(high), 2048);
}

/* sums[count] = bias + the sums of a block. */
SPLIT_ALWAYS_INLINE void put_sums(const window_sum* sum, const int32_t* bias, int32_t count, int32_t* sums) {
    const int16x8_t even = vmovlbq_s8(sum->high), odd = vmovltq_s8(sum->high);
    const int16x8_t lacking_even = vmlaq_n_s16(sum->low_even, even, -2048);
    const int16x8_t lacking_odd = vmlaq_n_s16(sum->low_odd, odd, -2048);
    put_in_order(SOME, sums, bias, count, 0, bottom_of(lacking_even, even));
    put_in_order(SOME, sums, bias, count, 2, top_of(lacking_even, even));
    put_in_order(SOME, sums, bias, count, 1, bottom_of(lacking_odd, odd));
    put_in_order(SOME, sums, bias, count, 3, top_of(lacking_odd, odd));
}

/* Up to sixteen channels of any scale, from `first` on. */
SPLIT_MVE_CASE void any_inner_block(const split_conv* conv, const split_mve_scales* scales, const inside_3x3* of,
                                    int32_t first, int32_t count, int8_t* pixel) {
    int32_t sums[SPLIT_MVE_BYTES];
    const window_sum sum = inner_sums(SOME, of, vctp8q((uint32_t)count));
    put_sums(&sum, conv->bias + first, count, sums);
    split_mve_store(scales, first, sums, count, pixel + first);
}

SPLIT_MVE_CASE void any_outer_block(const split_conv* conv, const split_mve_scales* scales, const taps_3x3* list,
                                    int32_t offset, int32_t first, int32_t count, int32_t channels, int8_t* pixel) {
    int32_t sums[SPLIT_MVE_BYTES];
    const window_sum sum = listed_sums(SOME, list, offset, conv->weights + first, channels, vctp8q((uint32_t)count));
    put_sums(&sum, conv->bias + first, count, sums);
    split_mve_store(scales, first, sums, count, pixel + first);
}

SPLIT_ALWAYS_INLINE void store_sums(const split_mve_sixteen* scale, const split_requantization* to,
                                    const window_sum* sum, int8_t* output) {
    const int16x8_t even = vmovlbq_s8(sum->high), odd = vmovltq_s8(sum->high);
    const int16x8_t lacking_even = vmlaq_n_s16(sum->low_even, even, -2048);
    const int16x8_t lacking_odd = vmlaq_n_s16(sum->low_odd, odd, -2048);
    split_mve_store_sixteen(scale, to, bottom_of(lacking_even, even), bottom_of(lacking_odd, odd),
                            top_of(lacking_even, even), top_of(lacking_odd, odd), output);
}

/* `count` blocks of sixteen channels whose scales are all to the right, from the first channel on. */
SPLIT_MVE_CASE void inner_blocks(const split_conv* conv, const split_requantization* to, inside_3x3 of, int32_t count,
                                 int8_t* pixel) {
    split_mve_sixteen scale = {conv->bias, to->multipliers, to->shifts};
    for (; count > 0; --count) {
        const window_sum sum = inner_sums(ALL_16, &of, 0);
        store_sums(&scale, to, &sum, pixel);
        of.row0 += SPLIT_MVE_BYTES;
        of.row1 += SPLIT_MVE_BYTES;
        of.row2 += SPLIT_MVE_BYTES;
        of.weights += SPLIT_MVE_BYTES;
        scale.bias += SPLIT_MVE_BYTES;
        scale.multipliers += SPLIT_MVE_BYTES;
        scale.shifts += SPLIT_MVE_BYTES;
        pixel += SPLIT_MVE_BYTES;
    }
}

/* The same with listed taps, from channel `first` on. */
SPLIT_MVE_CASE void outer_blocks(const split_conv* conv, const split_requantization* to, const taps_3x3* list,
                                 int32_t first, int32_t count, int32_t channels, int8_t* pixel) {
    split_mve_sixteen scale = {conv->bias + first, to->multipliers + first, to->shifts + first};
    const int8_t* weights = conv->weights + first;
    pixel += first;
    for (int32_t offset = 0; count > 0; --count, offset += SPLIT_MVE_BYTES) {
        const window_sum sum = listed_sums(ALL_16, list, offset, weights, channels, 0);
        store_sums(&scale, to, &sum, pixel);
        weights += SPLIT_MVE_BYTES;
        scale.bias += SPLIT_MVE_BYTES;
        scale.multipliers += SPLIT_MVE_BYTES;
        scale.shifts += SPLIT_MVE_BYTES;
        pixel += SPLIT_MVE_BYTES;
    }
}

/* --------------------------------------------------------------------------------------------------------- */

SPLIT_ALWAYS_INLINE block block_at(int32_t first, int32_t end, int32_t multiplier) {
    const int32_t left = end - first;
    const block of = {first, left < SPLIT_MVE_BYTES ? left : SPLIT_MVE_BYTES,
                      multiplier == 1 ? first : first / multiplier};
    return of;
}

/* One output pixel whose window lies inside the input. */
SPLIT_MVE_CASE void inner_3x3_pixel(const split_conv* conv, const split_mve_scales* scales, const place* at,
                                    int32_t channels, int8_t* pixel) {
    const int32_t whole = scales->only_right ? channels / SPLIT_MVE_BYTES : 0, start = at->origin * at->stride;
    inside_3x3 of = {at->rows[0] + start, at->rows[1] + start,
                     at->rows[2] + start, conv->window.dilation * at->stride,
                     conv->weights,       channels};
    if (whole > 0) {
        inner_blocks(conv, &scales->to, of, whole, pixel);
    }
    for (int32_t first = whole * SPLIT_MVE_BYTES; first < channels; first += SPLIT_MVE_BYTES) {
        const block part = block_at(first, channels, 1);
        of.row0 = at->rows[0] + (start + first);
        of.row1 = at->rows[1] + (start + first);
        of.row2 = at->rows[2] + (start + first);
        of.weights = conv->weights + first;
        any_inner_block(conv, scales, &of, first, part.count, pixel);
    }
}

/* The taps of the window, from channel `first` on. Padding is read at `padding`. */
SPLIT_ALWAYS_INLINE void list_3x3(const split_conv* conv, const place* at, int32_t first, const int8_t* padding,
                                  taps_3x3* list) {
    const int32_t step = conv->window.dilation * at->stride, start = at->origin * at->stride + first;
    const int32_t begin = at->begin, end = at->end;
    const int8_t** to = list->from;
    for (int32_t k = 0; k < 3; ++k, to += 3) {
        const int8_t* row = at->rows[k];
        to[0] = to[1] = to[2] = padding;
        if (row != NULL) {
            row += start + begin * step;
            for (int32_t t = begin; t < end; ++t, row += step) {
                to[t] = row;
            }
        }
    }
}

/* One output pixel whose window reaches beyond the input, in batches of channels. `padding` has SPLIT_MVE_BATCH bytes. */
SPLIT_MVE_CASE void outer_3x3_pixel(const split_conv* conv, const split_mve_scales* scales, const place* at,
                                    int32_t channels, const int8_t* padding, int8_t* pixel) {
    taps_3x3 list;
    for (int32_t batch = 0; batch < channels; batch += SPLIT_MVE_BATCH) {
        const int32_t count = channels - batch < SPLIT_MVE_BATCH ? channels - batch : SPLIT_MVE_BATCH;
        const int32_t whole = scales->only_right ? count / SPLIT_MVE_BYTES : 0;
        list_3x3(conv, at, batch, padding, &list);
        if (whole > 0) {
            outer_blocks(conv, &scales->to, &list, batch, whole, channels, pixel);
        }
        for (int32_t done = whole * SPLIT_MVE_BYTES; done < count; done += SPLIT_MVE_BYTES) {
            const block part = block_at(batch + done, batch + count, 1);
            any_outer_block(conv, scales, &list, done, batch + done, part.count, channels, pixel);
        }
    }
}

SPLIT_MVE_CASE void one_channel_pixel(const split_conv* conv, const split_mve_scales* scales, const place* at,
                                      int32_t channels, int8_t* pixel) {
    int32_t sums[SPLIT_MVE_BYTES];
    for (int32_t first = 0; first < channels; first += SPLIT_MVE_BYTES) {
        const block of = block_at(first, channels, channels);
        one_channel_block(conv, at, &of, channels, sums);
        split_mve_store(scales, first, sums, of.count, pixel + first);
    }
}

SPLIT_MVE_CASE void any_pixel(const split_conv* conv, const split_mve_scales* scales, const place* at, int32_t channels,
                              int8_t* pixel) {
    int32_t sums[SPLIT_MVE_BATCH];
    tap_list list;
    list.start = -1;
    for (int32_t batch = 0; batch < channels; batch += SPLIT_MVE_BATCH) {
        const int32_t count = channels - batch < SPLIT_MVE_BATCH ? channels - batch : SPLIT_MVE_BATCH;
        const int32_t* bias = conv->bias + batch;
        for (int32_t start = 0; start < conv->window.rows * conv->window.columns; start += LISTED_TAPS) {
            if (list.start != start) {
                list_taps(&list, conv, at, channels, start);
            }
            for (int32_t done = 0; done < count; done += SPLIT_MVE_BYTES) {
                const block of = block_at(batch + done, batch + count, conv->groups);
                any_block(conv, &list, &of, bias + done, sums + done);
            }
            bias = sums;
        }
        split_mve_store(scales, batch, sums, count, pixel + batch);
    }
}

static int has_rows(const int8_t* const* rows) {
    return rows[0] != NULL && rows[1] != NULL && rows[2] != NULL;
}

/* A row of 3x3 windows, each input channel of which is read by one output channel. */
SPLIT_MVE_CASE void row_of_3x3(const split_conv* conv, const split_mve_scales* scales, place* at, int32_t columns,
                               int8_t* output, const split_pixels* out) {
    int8_t padding[SPLIT_MVE_BATCH];
    /* Windows that start at a pixel in [0, last] lie inside the input. */
    const int32_t last = has_rows(at->rows) ? columns - 1 - 2 * conv->window.dilation : -1;
    memset(padding, conv->input_zero_point, sizeof padding);
    for (int32_t x = out->columns; x > 0; --x, at->origin += conv->window.stride, output += out->stride) {
        if (0 <= at->origin && at->origin <= last) {
            inner_3x3_pixel(conv, scales, at, out->channels, output);
        } else {
            split_clip_window(&conv->window, at->origin, columns, &at->begin, &at->end);
            outer_3x3_pixel(conv, scales, at, out->channels, padding, output);
        }
    }
}

void split_nn_depthwise_row(const split_conv* conv, const int8_t* const* rows, const split_pixels* in, int8_t* output,
                            const split_pixels* out) {
    const split_window window = conv->window;
    const split_mve_scales scales = split_mve_scales_of(&conv->requantization, out->channels);
    const int one_channel = conv->groups == out->channels && window.rows * window.columns <= MOST_TAPS;
    place at = {rows, -window.pad, 0, 0, in->stride};
    if (window.rows == 3 && window.columns == 3 && conv->groups == 1) {
        row_of_3x3(conv, &scales, &at, in->columns, output, out);
        return;
    }
    for (int32_t x = out->columns; x > 0; --x, at.origin += window.stride, output += out->stride) {
        split_clip_window(&window, at.origin, in->columns, &at.begin, &at.end);
        if (one_channel) {
            one_channel_pixel(conv, &scales, &at, out->channels, output);
        } else {
            any_pixel(conv, &scales, &at, out->channels, output);
        }
    }
}

#endif /* SPLIT_NN_MVE */
