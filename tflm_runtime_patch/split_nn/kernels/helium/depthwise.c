/* DEPTHWISE: one output row on MVE, sixteen channels at a time. Stack: below 950 bytes.
 *
 * The product of two int8 fits an int16, but a sum of products does not. Widening every product to int32 would cost
 * more than everything else. So a sum is kept as two int16:
 *   low    the sum modulo 2^16
 *   high   an estimate of the sum in units of 2^8 or 2^11, too small by less than 2^16
 * The error of the estimate is then (low - high * unit) modulo 2^16. Only this and `high` are widened, once per
 * channel. */
#include <stddef.h>

#include "../shared_int8.h"
#include "../target.h"

#if defined(SPLIT_NN_MVE)

#include "helium.h"

/* The addresses of up to this many taps are computed together, once for all channels. */
#define LISTED_TAPS 49

/* Padding is read from this many bytes of its value. So the addresses of taps are valid for as many channels. */
#define PADDING_BYTES 128

/* Some taps of the window, row by row, and their addresses. Those that are padding read bytes of the padding's value. */
typedef struct tap_list {
    int32_t count;
    const int8_t* weights; /* of the first one and the first output channel */
    const int8_t* from[LISTED_TAPS];
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

/* How the lanes of a vector are loaded: values, and weights. */
typedef enum layout {
    ALL_16,   /* 16 channels */
    SOME,     /* fewer */
    REPEATED, /* fewer; several lanes may read the same input channel */
    BESIDE,   /* all lanes of neighbouring pixels; weights are words in the order of lanes */
    APART,    /* the same where pixels do not lie one after the other */
} layout;

typedef struct lanes {
    mve_pred16_t p;     /* SOME, REPEATED: the lanes of channels */
    uint8x16_t offsets; /* REPEATED, APART: where each lane's value lies; lanes of no channel read that of lane 0 */
} lanes;

SPLIT_ALWAYS_INLINE int8x16_t values_of(layout kind, const int8_t* from, lanes by) {
    if (kind == REPEATED || kind == APART) {
        return vldrbq_gather_offset_s8(from, by.offsets);
    }
    return kind == SOME ? vldrbq_z_s8(from, by.p) : vldrbq_s8(from);
}

SPLIT_ALWAYS_INLINE int8x16_t weights_of(layout kind, const int8_t* from, lanes by) {
    if (kind == BESIDE || kind == APART) {
        return vreinterpretq_s8_s32(vldrwq_s32((const int32_t*)(const void*)from));
    }
    return kind == ALL_16 ? vldrbq_s8(from) : vldrbq_z_s8(from, by.p);
}

/* Widening even and odd lanes twice leaves four vectors: lane i of vector `part` is channel 4 * i + part. */
typedef struct block_sums {
    int32x4_t sum0, sum1, sum2, sum3;
} block_sums;

/* sums[channel] = bias + sum, for every fourth one of the first `count` channels. */
SPLIT_ALWAYS_INLINE void put_in_order(int32_t* sums, const int32_t* bias, int32_t count, int32_t part, int32x4_t sum) {
    const uint32x4_t channels = vidupq_n_u32(0, 4);
    const mve_pred16_t p = vctp32q((uint32_t)(count + 3 - part) / 4u);
    const int32x4_t biases = vldrwq_gather_shifted_offset_z_s32(bias + part, channels, p);
    vstrwq_scatter_shifted_offset_s32(sums + part, channels, vaddq_s32(sum, biases));
}

/* sums[count] = bias + the sums of a block. Writes 16 of them. */
SPLIT_ALWAYS_INLINE void put_sums(const block_sums* of, const int32_t* bias, int32_t count, int32_t* sums) {
    put_in_order(sums, bias, count, 0, of->sum0);
    put_in_order(sums, bias, count, 2, of->sum2);
    put_in_order(sums, bias, count, 1, of->sum1);
    put_in_order(sums, bias, count, 3, of->sum3);
}

/* Sixteen channels whose scales are all to the right. */
SPLIT_ALWAYS_INLINE void store_sixteen(const split_mve_sixteen* scale, const split_requantization* to,
                                       const block_sums* sums, int8_t* output) {
    split_mve_store_sixteen(scale, to, sums->sum0, sums->sum1, sums->sum2, sums->sum3, output);
}

/* Fewer than sixteen channels, from `first` on, or channels of any scale. */
SPLIT_ALWAYS_INLINE void store_some(const split_conv* conv, const split_mve_scales* scales, const block_sums* of,
                                    int32_t first, int32_t count, int8_t* pixel) {
    if (scales->only_right) {
        const split_mve_sixteen scale = {conv->bias + first, scales->to.multipliers + first, scales->to.shifts + first};
        split_mve_store_fewer(&scale, &scales->to, count, of->sum0, of->sum1, of->sum2, of->sum3, pixel + first);
    } else {
        int32_t sums[SPLIT_MVE_BYTES];
        put_sums(of, conv->bias + first, count, sums);
        split_mve_store(scales, first, sums, count, pixel + first);
    }
}

/* --- any window ------------------------------------------------------------------------------------------ */

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
                                        lanes by) {
    const int8x16_t value = values_of(kind, from, by), weight = weights_of(kind, weights, by);
    sum->low_even = vmullbq_int_s8(value, weight);
    sum->low_odd = vmulltq_int_s8(value, weight);
    return vmulhq_s8(value, weight);
}

/* Adds the products of a tap. Returns their upper bytes. */
SPLIT_ALWAYS_INLINE int8x16_t add_tap(window_sum* sum, layout kind, const int8_t* from, const int8_t* weights,
                                      lanes by) {
    const int8x16_t value = values_of(kind, from, by), weight = weights_of(kind, weights, by);
    sum->low_even = vaddq_s16(sum->low_even, vmullbq_int_s8(value, weight));
    sum->low_odd = vaddq_s16(sum->low_odd, vmulltq_int_s8(value, weight));
    const int8x16_t upper = vmulhq_s8(value, weight);
    SPLIT_MVE_NOW(sum->low_even, sum->low_odd);
    return upper;
}

/* `high` is in units of 2^8. Rounding a product down loses less than one unit, the mean of eight less than 5/2 * 2^3 of them
 * (see window_sum). So LISTED_TAPS products lose less than 2^16. */
typedef struct partial {
    int16x8_t low_even, low_odd, high_even, high_odd;
} partial;

SPLIT_ALWAYS_INLINE partial no_products(void) {
    const int16x8_t zero = vdupq_n_s16(0);
    const partial sum = {zero, zero, zero, zero};
    return sum;
}

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

SPLIT_ALWAYS_INLINE block_sums sums_of_partial(const partial* sum) {
    const int16x8_t even = sum->high_even, odd = sum->high_odd;
    const uint16x8_t lacking_even = vreinterpretq_u16_s16(vsubq_s16(sum->low_even, vshlq_n_s16(even, 8)));
    const uint16x8_t lacking_odd = vreinterpretq_u16_s16(vsubq_s16(sum->low_odd, vshlq_n_s16(odd, 8)));
    const block_sums sums = {joined(vmovlbq_u16(lacking_even), vshllbq_n_s16(even, 8)),
                             joined(vmovlbq_u16(lacking_odd), vshllbq_n_s16(odd, 8)),
                             joined(vmovltq_u16(lacking_even), vshlltq_n_s16(even, 8)),
                             joined(vmovltq_u16(lacking_odd), vshlltq_n_s16(odd, 8))};
    return sums;
}

/* By lane: the offset of its input channel from that of the block's first lane. */
SPLIT_MVE_CASE uint8x16_t repeat(const block* of, int32_t multiplier) {
    uint8_t distances[SPLIT_MVE_BYTES];
    int32_t copy = of->first % multiplier;
    uint8_t distance = 0;
    for (int32_t i = 0; i < SPLIT_MVE_BYTES; ++i) {
        distances[i] = i < of->count ? distance : 0;
        if (++copy == multiplier) {
            copy = 0;
            ++distance;
        }
    }
    return vldrbq_u8(distances);
}

/* Fills in `list` with the taps from number `start` on, for input channel `channel` and the following ones. */
SPLIT_MVE_CASE void list_taps(tap_list* list, const split_conv* conv, const place* at, const int8_t* padding,
                              int32_t channel, int32_t start, int32_t channels) {
    const int32_t columns = conv->window.columns, step = conv->window.dilation * at->stride;
    const int32_t left = conv->window.rows * columns - start, count = left < LISTED_TAPS ? left : LISTED_TAPS;
    const int8_t* const* rows = at->rows + start / columns;
    const int32_t origin = at->origin * at->stride + channel;
    const int8_t** to = list->from;
    const int8_t** const last = to + count;
    for (int32_t t = start % columns; to != last; ++rows, t = 0) {
        const int32_t stop = t + (last - to) < columns ? t + (int32_t)(last - to) : columns;
        const int32_t begin = *rows == NULL ? stop : split_clamp(at->begin, t, stop);
        const int32_t end = *rows == NULL ? stop : split_clamp(at->end, begin, stop);
        for (; t < begin; ++t) {
            *to++ = padding;
        }
        for (int32_t offset = origin + t * step; t < end; ++t, offset += step) {
            *to++ = *rows + offset;
        }
        for (; t < stop; ++t) {
            *to++ = padding;
        }
    }
    list->count = count;
    list->weights = conv->weights + start * channels;
}

/* Adds the products of eight taps that are listed, `offset` bytes further on, and sets `high` to the mean of their upper bytes. If
 * `first`, there are no sums yet. */
SPLIT_ALWAYS_INLINE void sum_eight(window_sum* sum, int first, layout kind, const int8_t* const* from, int32_t offset,
                                   const int8_t* weights, int32_t next, lanes by) {
    sum->high =
        first ? first_tap(sum, kind, from[0] + offset, weights, by) : add_tap(sum, kind, from[0] + offset, weights, by);
    sum->high = vhaddq_s8(sum->high, add_tap(sum, kind, from[1] + offset, weights += next, by));
    int8x16_t more = add_tap(sum, kind, from[2] + offset, weights += next, by);
    more = vhaddq_s8(more, add_tap(sum, kind, from[3] + offset, weights += next, by));
    sum->high = vhaddq_s8(sum->high, more);
    more = add_tap(sum, kind, from[4] + offset, weights += next, by);
    more = vhaddq_s8(more, add_tap(sum, kind, from[5] + offset, weights += next, by));
    int8x16_t last = add_tap(sum, kind, from[6] + offset, weights += next, by);
    last = vhaddq_s8(last, add_tap(sum, kind, from[7] + offset, weights + next, by));
    sum->high = vhaddq_s8(sum->high, vhaddq_s8(more, last));
}

/* The same for sums of any number of taps. */
SPLIT_ALWAYS_INLINE void add_eight(partial* to, layout kind, const int8_t* const* from, int32_t offset,
                                   const int8_t* weights, int32_t next, lanes by) {
    window_sum sum = {to->low_even, to->low_odd, vdupq_n_s8(0)};
    sum_eight(&sum, 0, kind, from, offset, weights, next, by);
    to->low_even = sum.low_even;
    to->low_odd = sum.low_odd;
    to->high_even = vaddq_s16(to->high_even, vshllbq_n_s8(sum.high, 3));
    to->high_odd = vaddq_s16(to->high_odd, vshlltq_n_s8(sum.high, 3));
    SPLIT_MVE_NOW(to->high_even, to->high_odd);
}

/* The products of listed taps, `offset` bytes further on, for output channel `first` and the following ones. */
SPLIT_ALWAYS_INLINE block_sums any_sums(layout kind, const tap_list* list, int32_t offset, int32_t first,
                                        int32_t channels, lanes by) {
    partial sum = no_products();
    const int8_t* weights = list->weights + first;
    const int8_t* const* from = list->from;
    for (int32_t eights = list->count / 8; eights > 0; --eights, from += 8, weights += 8 * channels) {
        add_eight(&sum, kind, from, offset, weights, channels, by);
    }
    for (int32_t left = list->count % 8; left > 0; --left, ++from, weights += channels) {
        add_product(&sum, values_of(kind, *from + offset, by), weights_of(kind, weights, by));
    }
    return sums_of_partial(&sum);
}

/* `count` blocks of sixteen channels whose scales are all to the right, of one pixel. All taps are listed. */
SPLIT_MVE_CASE void any_blocks(const split_conv* conv, const split_requantization* to, const tap_list* list,
                               int32_t offset, int32_t first, int32_t count, int32_t channels, int8_t* pixel) {
    const lanes all = {0, vdupq_n_u8(0)};
    split_mve_sixteen scale = {conv->bias + first, to->multipliers + first, to->shifts + first};
    pixel += first;
    for (; count > 0; --count, first += SPLIT_MVE_BYTES, offset += SPLIT_MVE_BYTES) {
        const block_sums sums = any_sums(ALL_16, list, offset, first, channels, all);
        store_sixteen(&scale, to, &sums, pixel);
        scale.bias += SPLIT_MVE_BYTES;
        scale.multipliers += SPLIT_MVE_BYTES;
        scale.shifts += SPLIT_MVE_BYTES;
        pixel += SPLIT_MVE_BYTES;
    }
}

/* The rest of the pixel's channels. */
SPLIT_MVE_CASE void any_part(const split_conv* conv, const split_mve_scales* scales, const tap_list* list,
                             int32_t offset, int32_t first, int32_t count, int32_t channels, int8_t* pixel) {
    const lanes by = {vctp8q((uint32_t)count), vdupq_n_u8(0)};
    const block_sums sums = any_sums(SOME, list, offset, first, channels, by);
    store_some(conv, scales, &sums, first, count, pixel);
}

/* sums[16] = bias[16] + the products of the listed taps. */
SPLIT_MVE_CASE void any_block(const split_conv* conv, const tap_list* list, const block* of, int32_t offset,
                              int32_t channels, const int32_t* bias, int32_t* sums) {
    const uint8x16_t zero = vdupq_n_u8(0);
    const lanes by = {vctp8q((uint32_t)of->count), conv->groups > 1 ? repeat(of, conv->groups) : zero};
    const block_sums sum = conv->groups > 1 ? any_sums(REPEATED, list, offset, of->first, channels, by)
                                            : any_sums(SOME, list, offset, of->first, channels, by);
    put_sums(&sum, bias, of->count, sums);
}

/* --- one input channel, which every output channel reads --------------------------------------------------- */

/* Rounding a product down loses less than one unit of 2^8, so this many products lose less than 2^16. */
#define MOST_TAPS 256

/* Taps in the padding all read the same byte, which holds the padding's value. */
SPLIT_MVE_CASE void one_channel_block(const split_conv* conv, const split_mve_scales* scales, const place* at,
                                      const block* of, int32_t channels, int8_t* pixel) {
    const mve_pred16_t p = vctp8q((uint32_t)of->count);
    const int8_t padding = (int8_t)conv->input_zero_point;
    const int32_t columns = conv->window.columns, begin = at->begin, end = at->end;
    const int32_t step = conv->window.dilation * at->stride;
    const int8_t* weights = conv->weights + of->first;
    partial sum = no_products();
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
    const block_sums sums = sums_of_partial(&sum);
    store_some(conv, scales, &sums, of->first, of->count, pixel);
}

/* --- 3x3 -------------------------------------------------------------------------------------------------- */

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

/* Neighbouring output pixels: the first one's window, and how far it is to that of the next. */
typedef struct run_3x3 {
    inside_3x3 window;
    int32_t advance;
    int8_t* output;
    int32_t output_stride;
} run_3x3;

SPLIT_ALWAYS_INLINE void next_pixel(run_3x3* run) {
    run->window.row0 += run->advance;
    run->window.row1 += run->advance;
    run->window.row2 += run->advance;
    run->output += run->output_stride;
}

/* The products of a block of a window inside the input. */
SPLIT_ALWAYS_INLINE window_sum inner_sums(layout kind, const inside_3x3* of, lanes by) {
    const int32_t step = of->step, next = of->next;
    const int8_t *from = of->row0, *weights = of->weights;
    window_sum sum;
    sum.high = first_tap(&sum, kind, from, weights, by);
    sum.high = vhaddq_s8(sum.high, add_tap(&sum, kind, from += step, weights += next, by));
    int8x16_t more = add_tap(&sum, kind, from + step, weights += next, by);
    more = vhaddq_s8(more, add_tap(&sum, kind, from = of->row1, weights += next, by));
    sum.high = vhaddq_s8(sum.high, more);
    more = add_tap(&sum, kind, from += step, weights += next, by);
    more = vhaddq_s8(more, add_tap(&sum, kind, from + step, weights += next, by));
    int8x16_t last = add_tap(&sum, kind, from = of->row2, weights += next, by);
    last = vhaddq_s8(last, add_tap(&sum, kind, from += step, weights += next, by));
    sum.high = vhaddq_s8(sum.high, vhaddq_s8(more, last));
    (void)add_tap(&sum, kind, from + step, weights + next, by);
    return sum;
}

/* The same with taps that are listed, `offset` bytes further on. */
SPLIT_ALWAYS_INLINE window_sum listed_sums(layout kind, const taps_3x3* list, int32_t offset, const int8_t* weights,
                                           int32_t next, lanes by) {
    window_sum sum;
    sum_eight(&sum, 1, kind, list->from, offset, weights, next, by);
    (void)add_tap(&sum, kind, list->from[8] + offset, weights + 8 * next, by);
    return sum;
}

/* Every fourth channel, from 0, 1, 2 or 3 on: the sums, without bias. */
SPLIT_ALWAYS_INLINE int32x4_t bottom_of(int16x8_t low, int16x8_t high) {
    return vmlaq_n_s32(vmovlbq_s16(low), vmovlbq_s16(high), 2048);
}

SPLIT_ALWAYS_INLINE int32x4_t top_of(int16x8_t low, int16x8_t high) {
    return vmlaq_n_s32(vmovltq_s16(low), vmovltq_s16(high), 2048);
}

SPLIT_ALWAYS_INLINE block_sums sums_of(const window_sum* sum) {
    const int16x8_t even = vmovlbq_s8(sum->high), odd = vmovltq_s8(sum->high);
    const int16x8_t lacking_even = vmlaq_n_s16(sum->low_even, even, -2048);
    const int16x8_t lacking_odd = vmlaq_n_s16(sum->low_odd, odd, -2048);
    const block_sums sums = {bottom_of(lacking_even, even), bottom_of(lacking_odd, odd), top_of(lacking_even, even),
                             top_of(lacking_odd, odd)};
    return sums;
}

SPLIT_MVE_CASE void any_inner_block(const split_conv* conv, const split_mve_scales* scales, const inside_3x3* of,
                                    int32_t first, int32_t count, int8_t* pixel) {
    const lanes by = {vctp8q((uint32_t)count), vdupq_n_u8(0)};
    const window_sum sum = inner_sums(SOME, of, by);
    const block_sums sums = sums_of(&sum);
    store_some(conv, scales, &sums, first, count, pixel);
}

SPLIT_MVE_CASE void any_outer_block(const split_conv* conv, const split_mve_scales* scales, const taps_3x3* list,
                                    int32_t offset, int32_t first, int32_t count, int32_t channels, int8_t* pixel) {
    const lanes by = {vctp8q((uint32_t)count), vdupq_n_u8(0)};
    const window_sum sum = listed_sums(SOME, list, offset, conv->weights + first, channels, by);
    const block_sums sums = sums_of(&sum);
    store_some(conv, scales, &sums, first, count, pixel);
}

/* `count` > 0 blocks of sixteen channels whose scales are all to the right, from the first channel on, of `pixels` pixels. What
 * only changes from pixel to pixel stays in `run`: the loop over blocks needs all registers. */
SPLIT_MVE_CASE void inner_blocks(const split_conv* conv, const split_requantization* to, run_3x3* run, int32_t count,
                                 int32_t pixels) {
    const lanes all = {0, vdupq_n_u8(0)};
    for (; pixels > 0; --pixels) {
        inside_3x3 of = run->window;
        split_mve_sixteen scale = {conv->bias, to->multipliers, to->shifts};
        int8_t* output = run->output;
        next_pixel(run);
        for (int32_t left = count; left > 0; --left) {
            const window_sum sum = inner_sums(ALL_16, &of, all);
            const block_sums sums = sums_of(&sum);
            store_sixteen(&scale, to, &sums, output);
            of.row0 += SPLIT_MVE_BYTES;
            of.row1 += SPLIT_MVE_BYTES;
            of.row2 += SPLIT_MVE_BYTES;
            of.weights += SPLIT_MVE_BYTES;
            scale.bias += SPLIT_MVE_BYTES;
            scale.multipliers += SPLIT_MVE_BYTES;
            scale.shifts += SPLIT_MVE_BYTES;
            output += SPLIT_MVE_BYTES;
        }
    }
}

/* The same with listed taps, from channel `first` on. */
SPLIT_MVE_CASE void outer_blocks(const split_conv* conv, const split_requantization* to, const taps_3x3* list,
                                 int32_t first, int32_t count, int32_t channels, int8_t* pixel) {
    const lanes all = {0, vdupq_n_u8(0)};
    split_mve_sixteen scale = {conv->bias + first, to->multipliers + first, to->shifts + first};
    const int8_t* weights = conv->weights + first;
    pixel += first;
    for (int32_t offset = 0; count > 0; --count, offset += SPLIT_MVE_BYTES) {
        const window_sum sum = listed_sums(ALL_16, list, offset, weights, channels, all);
        const block_sums sums = sums_of(&sum);
        store_sixteen(&scale, to, &sums, pixel);
        weights += SPLIT_MVE_BYTES;
        scale.bias += SPLIT_MVE_BYTES;
        scale.multipliers += SPLIT_MVE_BYTES;
        scale.shifts += SPLIT_MVE_BYTES;
        pixel += SPLIT_MVE_BYTES;
    }
}

/* --- 3x3, at most eight output channels: several pixels side by side --------------------------------------- */

#define BESIDE_CHANNELS 8

/* Lane i is channel i % channels of pixel i / channels of a vector. So for each lane what its channel needs. A window row in the
 * padding has weights of 0, and what its taps add is in `bias`. */
typedef struct beside {
    /* Loaded as words, whose addresses may lie further from that of the struct. */
    int32_t weights[9][SPLIT_MVE_WORDS];
    /* In the order of sums: lanes 0, 4, 8, 12, then lanes 1, 5, 9, 13, and so on. */
    int32_t bias[4][SPLIT_MVE_WORDS];
    int32_t multipliers[4][SPLIT_MVE_WORDS];
    int32_t shifts[4][SPLIT_MVE_WORDS];
    int32_t min[SPLIT_MVE_WORDS];
    int32_t max[SPLIT_MVE_WORDS];
    int32_t zero_point;
    int32_t channels;
    int32_t pixels;                /* in a vector */
    uint8_t from[SPLIT_MVE_BYTES]; /* a lane's value: its distance from that of lane 0 */
    uint8_t to[SPLIT_MVE_BYTES];   /* and the same in the output */
} beside;

SPLIT_ALWAYS_INLINE int8x16_t words_at(const int32_t* from) {
    return vreinterpretq_s8_s32(vldrwq_s32(from));
}

SPLIT_ALWAYS_INLINE int32x4_t scaled_beside(const beside* of, int32_t part, int32x4_t sums) {
    sums = vaddq_s32(sums, vldrwq_s32(of->bias[part]));
    return split_mve_requantize_right(sums, vldrwq_s32(of->multipliers[part]), vldrwq_s32(of->shifts[part]));
}

SPLIT_ALWAYS_INLINE int8x16_t bytes_beside(const beside* of, const window_sum* sum) {
    block_sums sums = sums_of(sum);
    SPLIT_MVE_NOW(sums.sum0, sums.sum1);
    SPLIT_MVE_NOW(sums.sum2, sums.sum3);
    const int32x4_t value0 = scaled_beside(of, 0, sums.sum0);
    int16x8_t even = vqmovnbq_s32(vreinterpretq_s16_s32(value0), value0);
    SPLIT_MVE_NOW(even, sums.sum1);
    const int32x4_t value1 = scaled_beside(of, 1, sums.sum1);
    int16x8_t odd = vqmovnbq_s32(vreinterpretq_s16_s32(value1), value1);
    SPLIT_MVE_NOW(odd, sums.sum2);
    even = vqmovntq_s32(even, scaled_beside(of, 2, sums.sum2));
    SPLIT_MVE_NOW(even, sums.sum3);
    odd = vqmovntq_s32(odd, scaled_beside(of, 3, sums.sum3));
    even = vqaddq_n_s16(even, (int16_t)of->zero_point);
    odd = vqaddq_n_s16(odd, (int16_t)of->zero_point);
    const int8x16_t bytes = vqmovntq_s16(vqmovnbq_s16(vreinterpretq_s8_s16(even), even), odd);
    return vminq_s8(vmaxq_s8(bytes, words_at(of->min)), words_at(of->max));
}

SPLIT_ALWAYS_INLINE void store_beside(const beside* of, const window_sum* sum, int32_t pixels, int8_t* output) {
    const mve_pred16_t p = vctp8q((uint32_t)(pixels * of->channels));
    vstrbq_scatter_offset_p_s8(output, vldrbq_u8(of->to), bytes_beside(of, sum), p);
}

/* `count` vectors all whose lanes are used, if there are no gaps between output pixels. */
SPLIT_ALWAYS_INLINE void vectors_beside(layout kind, const beside* of, run_3x3* run, int32_t count) {
    const lanes by = {0, vldrbq_u8(of->from)};
    const int32_t advance = run->advance, next = run->output_stride;
    inside_3x3 window = run->window;
    int8_t* output = run->output;
    window.next = SPLIT_MVE_BYTES;
    for (; count > 0; --count, output += next) {
        SPLIT_IN_REGISTER(of); /* or GCC would keep the addresses of all its parts, on the stack */
        window.weights = (const int8_t*)of->weights;
        const window_sum sum = inner_sums(kind, &window, by);
        vstrbq_s8(output, bytes_beside(of, &sum));
        window.row0 += advance;
        window.row1 += advance;
        window.row2 += advance;
    }
    run->window = window;
    run->output = output;
}

SPLIT_MVE_CASE void vectors_in_a_row(const beside* of, run_3x3* run, int32_t count) {
    vectors_beside(BESIDE, of, run, count);
}

SPLIT_MVE_CASE void vectors_apart(const beside* of, run_3x3* run, int32_t count) {
    vectors_beside(APART, of, run, count);
}

/* At most as many pixels as a vector holds. The lanes of others read the value of lane 0. */
SPLIT_MVE_CASE void some_beside(const beside* of, const run_3x3* run, int32_t pixels) {
    const uint8x16_t zero = vdupq_n_u8(0);
    const lanes by = {0, vpselq_u8(vldrbq_u8(of->from), zero, vctp8q((uint32_t)(pixels * of->channels)))};
    const window_sum sum = inner_sums(APART, &run->window, by);
    store_beside(of, &sum, pixels, run->output);
}

SPLIT_MVE_CASE void run_beside(const beside* of, run_3x3* run, int32_t pixels, int is_channel_wise) {
    const int32_t together = of->pixels, advance = run->advance;
    run->window.weights = (const int8_t*)of->weights;
    run->window.next = SPLIT_MVE_BYTES;
    const int is_whole = together * of->channels == SPLIT_MVE_BYTES && run->output_stride == of->channels;
    run->advance *= together;
    run->output_stride *= together;
    if (is_whole) {
        if (is_channel_wise && advance == of->channels) {
            vectors_in_a_row(of, run, pixels / together);
        } else {
            vectors_apart(of, run, pixels / together);
        }
        pixels %= together;
    }
    for (; pixels > 0; pixels -= together) {
        some_beside(of, run, pixels < together ? pixels : together);
        next_pixel(run);
    }
}

/* One pixel whose taps are listed. */
SPLIT_MVE_CASE void listed_beside(const beside* of, const taps_3x3* list, int8_t* output) {
    const uint8x16_t zero = vdupq_n_u8(0);
    const lanes by = {0, vpselq_u8(vldrbq_u8(of->from), zero, vctp8q((uint32_t)of->channels))};
    const window_sum sum = listed_sums(APART, list, 0, (const int8_t*)of->weights, SPLIT_MVE_BYTES, by);
    store_beside(of, &sum, 1, output);
}

/* The weights of each lane, and what window rows in the padding add. */
SPLIT_MVE_CASE void spread_weights(beside* to, const split_conv* conv, const int8_t* const* rows, uint8x16_t channel) {
    const int16x8_t zero = vdupq_n_s16(0);
    const int8_t* weights = conv->weights;
    int16x8_t even = zero, odd = zero;
    for (int32_t t = 0; t < 9; ++t, weights += to->channels) {
        int8x16_t weight = vldrbq_gather_offset_s8(weights, channel);
        if (rows[t / 3] == NULL) {
            even = vaddq_s16(even, vmovlbq_s8(weight));
            odd = vaddq_s16(odd, vmovltq_s8(weight));
            weight = vdupq_n_s8(0);
        }
        vstrwq_s32(to->weights[t], vreinterpretq_s32_s8(weight));
    }
    const int32_t padding = conv->input_zero_point;
    vstrwq_s32(to->bias[0], vmulq_n_s32(vmovlbq_s16(even), padding));
    vstrwq_s32(to->bias[1], vmulq_n_s32(vmovlbq_s16(odd), padding));
    vstrwq_s32(to->bias[2], vmulq_n_s32(vmovltq_s16(even), padding));
    vstrwq_s32(to->bias[3], vmulq_n_s32(vmovltq_s16(odd), padding));
}

/* Where lanes lie. `advance` is the distance from one window to the next. */
SPLIT_MVE_CASE void spread_offsets(beside* to, uint8x16_t channel, int32_t advance, int32_t groups, int32_t stride) {
    const uint8x16_t zero = vdupq_n_u8(0);
    const mve_pred16_t used = vctp8q((uint32_t)(to->pixels * to->channels));
    uint8x16_t from = groups == 1 ? channel : zero, output = channel;
    for (int32_t lane = to->channels; lane < SPLIT_MVE_BYTES; lane += to->channels) {
        const mve_pred16_t later = (mve_pred16_t)~vctp8q((uint32_t)lane);
        from = vaddq_m_n_u8(from, from, (uint8_t)advance, later);
        output = vaddq_m_n_u8(output, output, (uint8_t)stride, later);
    }
    vstrbq_u8(to->from, vpselq_u8(from, zero, used));
    vstrbq_u8(to->to, output);
}

SPLIT_MVE_CASE void spread(beside* to, const split_conv* conv, const int8_t* const* rows, int32_t advance,
                           const split_pixels* out) {
    const split_requantization* scale = &conv->requantization;
    const uint8x16_t channel = viwdupq_n_u8(0, (uint32_t)out->channels, 1);
    const uint32x4_t fours = vidupq_n_u32(0, 4);
    uint8_t channels[SPLIT_MVE_BYTES];
    to->channels = out->channels;
    to->pixels = SPLIT_MVE_BYTES / out->channels;
    to->zero_point = scale->zero_point;
    vstrwq_s32(to->min, vreinterpretq_s32_s8(vdupq_n_s8((int8_t)scale->min)));
    vstrwq_s32(to->max, vreinterpretq_s32_s8(vdupq_n_s8((int8_t)scale->max)));
    vstrbq_u8(channels, channel);
    spread_weights(to, conv, rows, channel);
    spread_offsets(to, channel, advance, conv->groups, out->stride);
    for (int32_t part = 0; part < 4; ++part) {
        const uint32x4_t entry = vldrbq_gather_offset_u32(channels + part, fours);
        const int32x4_t bias = vldrwq_gather_shifted_offset_s32(conv->bias, entry);
        vstrwq_s32(to->bias[part], vaddq_s32(vldrwq_s32(to->bias[part]), bias));
        vstrwq_s32(to->multipliers[part], vldrwq_gather_shifted_offset_s32(scale->multipliers, entry));
        vstrwq_s32(to->shifts[part], vldrbq_gather_offset_s32(scale->shifts, entry));
    }
}

/* --------------------------------------------------------------------------------------------------------- */

SPLIT_ALWAYS_INLINE block block_at(int32_t first, int32_t end, int32_t multiplier) {
    const int32_t left = end - first;
    const block of = {first, left < SPLIT_MVE_BYTES ? left : SPLIT_MVE_BYTES,
                      multiplier == 1 ? first : first / multiplier};
    return of;
}

/* What all pixels of a row of 3x3 windows share. */
typedef struct pixel_row {
    const split_conv* conv;
    const split_mve_scales* scales;
    const split_pixels* in;
    const split_pixels* out;
    int8_t* output;
    int8_t padding[PADDING_BYTES]; /* bytes of the padding's value */
} pixel_row;

/* The run that starts with output pixel x. */
SPLIT_ALWAYS_INLINE run_3x3 run_at(const pixel_row* row, const int8_t* const* rows, int32_t x) {
    const split_window* window = &row->conv->window;
    const int32_t stride = row->in->stride, start = (x * window->stride - window->pad) * stride;
    const run_3x3 run = {{rows[0] + start, rows[1] + start, rows[2] + start, window->dilation * stride,
                          row->conv->weights, row->out->channels},
                         window->stride * stride,
                         row->output + x * row->out->stride,
                         row->out->stride};
    return run;
}

/* The channels of a pixel from `first` on, in blocks of up to sixteen. */
SPLIT_MVE_CASE void some_inner_blocks(const pixel_row* row, const run_3x3* run, int32_t first) {
    const int32_t channels = row->out->channels;
    inside_3x3 window = run->window;
    window.row0 += first;
    window.row1 += first;
    window.row2 += first;
    window.weights += first;
    for (; first < channels; first += SPLIT_MVE_BYTES) {
        const block part = block_at(first, channels, 1);
        any_inner_block(row->conv, row->scales, &window, first, part.count, run->output);
        window.row0 += SPLIT_MVE_BYTES;
        window.row1 += SPLIT_MVE_BYTES;
        window.row2 += SPLIT_MVE_BYTES;
        window.weights += SPLIT_MVE_BYTES;
    }
}

/* Output pixels [x, end), whose windows lie inside the input. */
SPLIT_MVE_CASE void inner_3x3_pixels(const pixel_row* row, const int8_t* const* rows, int32_t x, int32_t end) {
    const int32_t channels = row->out->channels;
    const int32_t whole = row->scales->only_right ? channels / SPLIT_MVE_BYTES : 0;
    const int32_t is_whole = whole * SPLIT_MVE_BYTES == channels;
    run_3x3 run = run_at(row, rows, x);
    if (is_whole) {
        inner_blocks(row->conv, &row->scales->to, &run, whole, end - x);
        return;
    }
    for (; x < end; ++x) {
        run_3x3 pixel = run;
        if (whole > 0) {
            inner_blocks(row->conv, &row->scales->to, &pixel, whole, 1);
        }
        some_inner_blocks(row, &run, whole * SPLIT_MVE_BYTES);
        next_pixel(&run);
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

/* One output pixel whose window reaches beyond the input, in batches of channels. */
SPLIT_MVE_CASE void outer_3x3_pixel(const pixel_row* row, const place* at, int8_t* pixel) {
    const split_conv* conv = row->conv;
    const split_mve_scales* scales = row->scales;
    const int32_t channels = row->out->channels;
    taps_3x3 list;
    for (int32_t batch = 0; batch < channels; batch += PADDING_BYTES) {
        const int32_t count = channels - batch < PADDING_BYTES ? channels - batch : PADDING_BYTES;
        const int32_t whole = scales->only_right ? count / SPLIT_MVE_BYTES : 0;
        list_3x3(conv, at, batch, row->padding, &list);
        if (whole > 0) {
            outer_blocks(conv, &scales->to, &list, batch, whole, channels, pixel);
        }
        for (int32_t done = whole * SPLIT_MVE_BYTES; done < count; done += SPLIT_MVE_BYTES) {
            const block part = block_at(batch + done, batch + count, 1);
            any_outer_block(conv, scales, &list, done, batch + done, part.count, channels, pixel);
        }
    }
}

/* Output pixels [x, end), whose windows may reach beyond the input. */
SPLIT_MVE_CASE void outer_3x3_pixels(const pixel_row* row, const int8_t* const* rows, int32_t x, int32_t end) {
    const split_window* window = &row->conv->window;
    place at = {rows, x * window->stride - window->pad, 0, 0, row->in->stride};
    int8_t* output = row->output + x * row->out->stride;
    for (; x < end; ++x, at.origin += window->stride, output += row->out->stride) {
        split_clip_window(window, at.origin, row->in->columns, &at.begin, &at.end);
        outer_3x3_pixel(row, &at, output);
    }
}

/* The same with few channels. */
SPLIT_MVE_CASE void outer_beside(const pixel_row* row, const beside* of, const int8_t* const* rows, int32_t x,
                                 int32_t end) {
    const split_window* window = &row->conv->window;
    place at = {rows, x * window->stride - window->pad, 0, 0, row->in->stride};
    int8_t* output = row->output + x * row->out->stride;
    for (; x < end; ++x, at.origin += window->stride, output += row->out->stride) {
        taps_3x3 list;
        split_clip_window(window, at.origin, row->in->columns, &at.begin, &at.end);
        list_3x3(row->conv, &at, 0, row->padding, &list);
        listed_beside(of, &list, output);
    }
}

SPLIT_MVE_CASE void one_channel_pixel(const split_conv* conv, const split_mve_scales* scales, const place* at,
                                      int32_t channels, int8_t* pixel) {
    for (int32_t first = 0; first < channels; first += SPLIT_MVE_BYTES) {
        const block of = block_at(first, channels, channels);
        one_channel_block(conv, scales, at, &of, channels, pixel);
    }
}

/* Sums of this many channels are on the stack. */
#define PIXEL_BATCH 32

/* One output pixel of any kind. */
SPLIT_MVE_CASE void any_pixel(const pixel_row* row, const place* at, int8_t* pixel) {
    const split_conv* conv = row->conv;
    const int32_t channels = row->out->channels, multiplier = conv->groups;
    int32_t sums[PIXEL_BATCH];
    tap_list list;
    for (int32_t batch = 0; batch < channels; batch += PIXEL_BATCH) {
        const int32_t count = channels - batch < PIXEL_BATCH ? channels - batch : PIXEL_BATCH;
        const int32_t from = batch / multiplier;
        const int32_t* bias = conv->bias + batch;
        for (int32_t start = 0; start < conv->window.rows * conv->window.columns; start += LISTED_TAPS) {
            list_taps(&list, conv, at, row->padding, from, start, channels);
            for (int32_t done = 0; done < count; done += SPLIT_MVE_BYTES) {
                const block of = block_at(batch + done, batch + count, multiplier);
                any_block(conv, &list, &of, of.from - from, channels, bias + done, sums + done);
            }
            bias = sums;
        }
        split_mve_store(row->scales, batch, sums, count, pixel + batch);
    }
}

/* `count` channels of an output pixel, from `first` on. The addresses in `list` are `offset` bytes before them. */
SPLIT_MVE_CASE void listed_pixel(const pixel_row* row, const tap_list* list, int32_t offset, int32_t first,
                                 int32_t count, int8_t* pixel) {
    const int32_t channels = row->out->channels, whole = count / SPLIT_MVE_BYTES, done = whole * SPLIT_MVE_BYTES;
    if (whole > 0) {
        any_blocks(row->conv, &row->scales->to, list, offset, first, whole, channels, pixel);
    }
    if (done < count) {
        any_part(row->conv, row->scales, list, offset + done, first + done, count - done, channels, pixel);
    }
}

/* Output pixels [x, end), if all taps can be listed together and all scales are to the right. If `inside`, their windows lie
 * inside the input, and the addresses for the first of them do for all. */
SPLIT_MVE_CASE void listed_pixels(const pixel_row* row, const int8_t* const* rows, int32_t x, int32_t end, int inside) {
    const split_window* window = &row->conv->window;
    const int32_t channels = row->out->channels, advance = window->stride * row->in->stride;
    place at = {rows, x * window->stride - window->pad, 0, window->columns, row->in->stride};
    int8_t* output = row->output + x * row->out->stride;
    tap_list list;
    if (inside && x < end) {
        list_taps(&list, row->conv, &at, row->padding, 0, 0, channels);
        for (int32_t offset = 0; x < end; ++x, offset += advance, output += row->out->stride) {
            listed_pixel(row, &list, offset, 0, channels, output);
        }
    }
    for (; x < end; ++x, at.origin += window->stride, output += row->out->stride) {
        split_clip_window(window, at.origin, row->in->columns, &at.begin, &at.end);
        for (int32_t first = 0; first < channels; first += PADDING_BYTES) {
            const int32_t left = channels - first;
            list_taps(&list, row->conv, &at, row->padding, first, 0, channels);
            listed_pixel(row, &list, 0, first, left < PADDING_BYTES ? left : PADDING_BYTES, output);
        }
    }
}

/* Output pixels [begin, end) are those whose windows lie inside the input's columns. */
typedef struct inner_pixels {
    int32_t begin;
    int32_t end;
} inner_pixels;

SPLIT_ALWAYS_INLINE inner_pixels inner_pixels_of(const split_window* window, int32_t in_columns, int32_t out_columns) {
    const int32_t stride = window->stride;
    const int32_t last = in_columns - 1 - (window->columns - 1) * window->dilation + window->pad;
    const int32_t begin = window->pad > 0 ? (window->pad + stride - 1) / stride : 0;
    const int32_t end = last >= 0 ? last / stride + 1 : 0;
    inner_pixels inner;
    inner.begin = begin < out_columns ? begin : out_columns;
    inner.end = split_clamp(end, inner.begin, out_columns);
    return inner;
}

/* Whether output pixels may be computed side by side. Then no lane lies more than 255 bytes behind the first one. */
SPLIT_ALWAYS_INLINE int fits_beside(const int8_t* const* rows, int32_t advance, const split_pixels* out) {
    const int32_t more = SPLIT_MVE_BYTES / out->channels - 1, room = 255 - SPLIT_MVE_BYTES;
    return (rows[0] != NULL || rows[1] != NULL || rows[2] != NULL) && more * advance <= room &&
           more * out->stride <= room;
}

/* A row whose windows have at most LISTED_TAPS taps, if each input channel is read by one output channel and all scales are to
 * the right. */
SPLIT_MVE_CASE void listed_row(const pixel_row* row, const int8_t* const* rows) {
    const int32_t columns = row->out->columns;
    const inner_pixels inner = inner_pixels_of(&row->conv->window, row->in->columns, columns);
    int is_inside = 1;
    for (int32_t k = 0; k < row->conv->window.rows; ++k) {
        is_inside &= rows[k] != NULL;
    }
    listed_pixels(row, rows, 0, inner.begin, 0);
    listed_pixels(row, rows, inner.begin, inner.end, is_inside);
    listed_pixels(row, rows, inner.end, columns, 0);
}

/* A row of windows of any kind. */
SPLIT_MVE_CASE void any_row(const pixel_row* row, const int8_t* const* rows) {
    const split_conv* conv = row->conv;
    const int32_t channels = row->out->channels, taps = conv->window.rows * conv->window.columns;
    const int is_one_channel = conv->groups == channels && taps <= MOST_TAPS;
    place at = {rows, -conv->window.pad, 0, 0, row->in->stride};
    int8_t* output = row->output;
    if (conv->groups == 1 && taps <= LISTED_TAPS && row->scales->only_right) {
        listed_row(row, rows);
        return;
    }
    for (int32_t x = row->out->columns; x > 0; --x, at.origin += conv->window.stride, output += row->out->stride) {
        split_clip_window(&conv->window, at.origin, row->in->columns, &at.begin, &at.end);
        if (is_one_channel) {
            one_channel_pixel(conv, row->scales, &at, channels, output);
        } else {
            any_pixel(row, &at, output);
        }
    }
}

/* A row of 3x3 windows, each input channel of which is read by one output channel. */
SPLIT_MVE_CASE void row_of_3x3(const pixel_row* row, const int8_t* const* rows) {
    const int32_t columns = row->out->columns;
    const inner_pixels inner = inner_pixels_of(&row->conv->window, row->in->columns, columns);
    const int is_inside = rows[0] != NULL && rows[1] != NULL && rows[2] != NULL && inner.begin < inner.end;
    const int32_t begin = is_inside ? inner.begin : columns, end = is_inside ? inner.end : columns;
    outer_3x3_pixels(row, rows, 0, begin);
    if (begin < end) {
        inner_3x3_pixels(row, rows, begin, end);
    }
    outer_3x3_pixels(row, rows, end, columns);
}

/* A row of 3x3 windows with few output channels, whose scales are all to the right. */
SPLIT_MVE_CASE void row_beside(const pixel_row* row, const int8_t* const* rows) {
    const split_window* window = &row->conv->window;
    const int32_t columns = row->out->columns, advance = window->stride * row->in->stride;
    const inner_pixels inner = inner_pixels_of(window, row->in->columns, columns);
    const int8_t* some_row = rows[0] != NULL ? rows[0] : rows[1] != NULL ? rows[1] : rows[2];
    /* What is read in place of a row in the padding does not matter. */
    const int8_t* const inside[3] = {rows[0] != NULL ? rows[0] : some_row, rows[1] != NULL ? rows[1] : some_row,
                                     rows[2] != NULL ? rows[2] : some_row};
    beside of;
    spread(&of, row->conv, rows, advance, row->out);
    outer_beside(row, &of, rows, 0, inner.begin);
    if (inner.begin < inner.end) {
        run_3x3 run = run_at(row, inside, inner.begin);
        run_beside(&of, &run, inner.end - inner.begin, row->conv->groups == 1);
    }
    outer_beside(row, &of, rows, inner.end, columns);
}

void split_nn_depthwise_row(const split_conv* conv, const int8_t* const* rows, const split_pixels* in, int8_t* output,
                            const split_pixels* out) {
    const split_mve_scales scales = split_mve_scales_of(&conv->requantization, out->channels);
    const int is_3x3 = conv->window.rows == 3 && conv->window.columns == 3;
    const int is_few = out->channels <= BESIDE_CHANNELS && (conv->groups == 1 || conv->groups == out->channels);
    const int8x16_t padding = vdupq_n_s8((int8_t)conv->input_zero_point);
    pixel_row row;
    row.conv = conv;
    row.scales = &scales;
    row.in = in;
    row.out = out;
    row.output = output;
    for (int32_t i = 0; i < PADDING_BYTES; i += SPLIT_MVE_BYTES) {
        vstrbq_s8(row.padding + i, padding);
    }
    if (is_3x3 && is_few && scales.only_right && fits_beside(rows, conv->window.stride * in->stride, out)) {
        row_beside(&row, rows);
    } else if (is_3x3 && conv->groups == 1) {
        row_of_3x3(&row, rows);
    } else {
        any_row(&row, rows);
    }
}

#endif /* SPLIT_NN_MVE */
