/* What the Helium (MVE) kernels share: dot products, and the way from sums to int8.
 *
 * An instruction works on 16 int8, 8 int16 or 4 int32 lanes. Kernels never load or store a byte outside their rows: the
 * end of a run is predicated, or the last vector overlaps the one before it. Kernels copy their parameters to local
 * variables, because a store of int8 may alias anything in memory and would make the compiler load them again. */
#ifndef SPLIT_NN_HELIUM_H_
#define SPLIT_NN_HELIUM_H_

#include <arm_mve.h>

#include "../shared_int8.h"

/* Lanes of a vector of int8, and of a vector of int32. */
#define SPLIT_MVE_BYTES 16
#define SPLIT_MVE_WORDS 4

/* A kernel keeps up to this many sums on its stack, and then turns them into int8 together. */
#define SPLIT_MVE_BATCH 64

/* One case of a kernel. It is not inlined, so the kernel's stack is that of one case and not the sum of all. */
#define SPLIT_MVE_CASE __attribute__((noinline)) static

/* Makes the compiler compute two vectors here, before later loads. GCC would move all loads to the front and run out of
 * registers. */
#define SPLIT_MVE_NOW(vector1, vector2) __asm__ volatile("" : "+w"(vector1), "+w"(vector2) : : "memory")

/* value / 2^-shift, rounded to nearest, ties away from zero. Each lane of `shift` is in -31..0. VRSHL rounds ties up,
 * which is towards zero for negative values. So 1 is subtracted from negative values first, unless the shift is 0. */
SPLIT_ALWAYS_INLINE int32x4_t split_mve_rounding_shift_right(int32x4_t value, int32x4_t shift) {
    const int32x4_t below_zero = vshrq_n_s32(vandq_s32(value, shift), 31);
    return vrshlq_s32(vaddq_s32(value, below_zero), shift);
}

/* split_requantize() in every lane. VQRDMULH is split_high_mul(): floor((a*b + 2^30) / 2^31), saturated. */
SPLIT_ALWAYS_INLINE int32x4_t split_mve_requantize(int32x4_t value, int32x4_t multiplier, int32x4_t shift) {
    const int32x4_t zero = vdupq_n_s32(0);
    value = vqrdmulhq_s32(vshlq_s32(value, vmaxq_s32(shift, zero)), multiplier);
    return split_mve_rounding_shift_right(value, vminq_s32(shift, zero));
}

/* The same, if every shift is below 0. */
SPLIT_ALWAYS_INLINE int32x4_t split_mve_requantize_right(int32x4_t value, int32x4_t multiplier, int32x4_t shift) {
    value = vqrdmulhq_s32(value, multiplier);
    return vrshlq_s32(vaddq_s32(value, vshrq_n_s32(value, 31)), shift);
}

/* The same, if all lanes have the same multiplier and shift. */
SPLIT_ALWAYS_INLINE int32x4_t split_mve_requantize_n(int32x4_t value, int32_t multiplier, int32_t shift) {
    if (shift > 0) {
        return vqrdmulhq_n_s32(vshlq_r_s32(value, shift), multiplier);
    }
    return split_mve_rounding_shift_right(vqrdmulhq_n_s32(value, multiplier), vdupq_n_s32(shift));
}

/* clamp(value + zero_point, low, high). The sum is modulo 2^32. */
SPLIT_ALWAYS_INLINE int32x4_t split_mve_to_range(int32x4_t value, int32_t zero_point, int32_t low, int32_t high) {
    value = vmaxq_s32(vaddq_n_s32(value, zero_point), vdupq_n_s32(low));
    return vminq_s32(value, vdupq_n_s32(high));
}

/* Loads one element into each lane of `p`: with stride 1 consecutive ones, with stride 0 the same one for all. */
SPLIT_ALWAYS_INLINE int32x4_t split_mve_operand4(const int8_t* from, int32_t stride, mve_pred16_t p) {
    return stride == 0 ? vdupq_n_s32(*from) : vldrbq_z_s32(from, p);
}

/* The window columns that lie inside the input: `count` of them, the first on input pixel `first`. */
typedef struct split_taps {
    int32_t first;
    int32_t count;
} split_taps;

SPLIT_ALWAYS_INLINE split_taps split_mve_taps(const split_window* window, int32_t origin, int32_t columns) {
    split_taps taps = {origin, window->columns};
    if (origin < 0 || origin + (window->columns - 1) * window->dilation >= columns) {
        int32_t begin, end;
        split_clip_window(window, origin, columns, &begin, &end);
        taps.first = origin + begin * window->dilation;
        taps.count = end - begin;
    }
    return taps;
}

/* A requantisation, and whether the fast path is valid for all its channels. */
typedef struct split_mve_scales {
    split_requantization to;
    int32_t only_right; /* 1 if there is a shift per channel, and each is below 0 */
} split_mve_scales;

split_mve_scales split_mve_scales_of(const split_requantization* to, int32_t channels);

/* Turns `count` sums, of channel `channel` and the following ones, into int8. Reads sums up to the
 * next multiple of 4. */
void split_mve_store(const split_mve_scales* scales, int32_t channel, const int32_t* sums, int32_t count,
                     int8_t* output);

/* Where 16 channels start: what they need to become int8. Scales are `only_right`. */
typedef struct split_mve_sixteen {
    const int32_t* bias;
    const int32_t* multipliers;
    const int8_t* shifts;
} split_mve_sixteen;

/* The bias is added to sums, and they are scaled. Channels are counted from the first of the sixteen. */
SPLIT_ALWAYS_INLINE int32x4_t split_mve_scaled(const split_mve_sixteen* of, uint32x4_t channels, int32x4_t sums) {
    sums = vaddq_s32(sums, vldrwq_gather_shifted_offset_s32(of->bias, channels));
    sums = vqrdmulhq_s32(sums, vldrwq_gather_shifted_offset_s32(of->multipliers, channels));
    sums = vaddq_s32(sums, vshrq_n_s32(sums, 31));
    return vrshlq_s32(sums, vldrbq_gather_offset_s32(of->shifts, channels));
}

/* Scaled values of even and of odd channels, as int8. */
SPLIT_ALWAYS_INLINE int8x16_t split_mve_narrowed(const split_requantization* to, int16x8_t even, int16x8_t odd) {
    const int16_t zero_point = (int16_t)to->zero_point;
    even = vqaddq_n_s16(even, zero_point);
    odd = vqaddq_n_s16(odd, zero_point);
    const int8x16_t bytes = vqmovntq_s16(vqmovnbq_s16(vreinterpretq_s8_s16(even), even), odd);
    return vminq_s8(vmaxq_s8(bytes, vdupq_n_s8((int8_t)to->min)), vdupq_n_s8((int8_t)to->max));
}

/* Turns sums of 16 channels into int8. Lane i of `sum0` is channel 4 * i, of `sum1` channel 4 * i + 1, and so on. Scaled values
 * are shifted to the right at least once, so they are far from overflow, and what is saturated to int16 would be clamped. */
SPLIT_ALWAYS_INLINE void split_mve_store_sixteen(const split_mve_sixteen* of, const split_requantization* to,
                                                 int32x4_t sum0, int32x4_t sum1, int32x4_t sum2, int32x4_t sum3,
                                                 int8_t* output) {
    uint32x4_t channels = vidupq_n_u32(0, 4);
    SPLIT_MVE_NOW(sum0, sum1);
    SPLIT_MVE_NOW(sum2, sum3);
    sum0 = split_mve_scaled(of, channels, sum0);
    int16x8_t even = vqmovnbq_s32(vreinterpretq_s16_s32(sum0), sum0);
    channels = vaddq_n_u32(channels, 1);
    SPLIT_MVE_NOW(even, channels);
    sum1 = split_mve_scaled(of, channels, sum1);
    int16x8_t odd = vqmovnbq_s32(vreinterpretq_s16_s32(sum1), sum1);
    channels = vaddq_n_u32(channels, 1);
    SPLIT_MVE_NOW(odd, channels);
    even = vqmovntq_s32(even, split_mve_scaled(of, channels, sum2));
    channels = vaddq_n_u32(channels, 1);
    SPLIT_MVE_NOW(even, channels);
    odd = vqmovntq_s32(odd, split_mve_scaled(of, channels, sum3));
    SPLIT_MVE_NOW(even, odd);
    vstrbq_s8(output, split_mve_narrowed(to, even, odd));
}

/* The same for the first `count` of them, 1..16. Lanes behind them read the scale of the last one. */
SPLIT_ALWAYS_INLINE void split_mve_store_fewer(const split_mve_sixteen* of, const split_requantization* to,
                                               int32_t count, int32x4_t sum0, int32x4_t sum1, int32x4_t sum2,
                                               int32x4_t sum3, int8_t* output) {
    const uint32x4_t last = vdupq_n_u32((uint32_t)count - 1);
    SPLIT_MVE_NOW(sum0, sum1);
    SPLIT_MVE_NOW(sum2, sum3);
    sum0 = split_mve_scaled(of, vminq_u32(vidupq_n_u32(0, 4), last), sum0);
    int16x8_t even = vqmovnbq_s32(vreinterpretq_s16_s32(sum0), sum0);
    SPLIT_MVE_NOW(even, sum1);
    sum1 = split_mve_scaled(of, vminq_u32(vidupq_n_u32(1, 4), last), sum1);
    int16x8_t odd = vqmovnbq_s32(vreinterpretq_s16_s32(sum1), sum1);
    SPLIT_MVE_NOW(odd, sum2);
    even = vqmovntq_s32(even, split_mve_scaled(of, vminq_u32(vidupq_n_u32(2, 4), last), sum2));
    SPLIT_MVE_NOW(even, sum3);
    odd = vqmovntq_s32(odd, split_mve_scaled(of, vminq_u32(vidupq_n_u32(3, 4), last), sum3));
    SPLIT_MVE_NOW(even, odd);
    vstrbq_p_s8(output, split_mve_narrowed(to, even, odd), vctp8q((uint32_t)count));
}

/* sums[f] = initial[f] + dot product of values[bytes] and of filter f, whose weights start at weights + f * filter.
 * `initial` and `sums` may be the same. */
void split_mve_dots(int32_t* sums, const int32_t* initial, int32_t filters, const int8_t* values, int32_t bytes,
                    const int8_t* weights, int32_t filter);

/* Runs of up to this many bytes are multiplied with filters and stored at once. */
#define SPLIT_MVE_RUN 64

/* Filters, a multiple of 4 of them, whose scales are `only_right`: where what they need starts. */
typedef struct split_mve_filters {
    const split_requantization* to;
    const int32_t* bias;
    const int32_t* multipliers;
    const int8_t* shifts;
    const int8_t* weights;
    int32_t fours;
} split_mve_filters;

/* Output pixels whose windows are runs of bytes: where the first window and the first pixel start, and the bytes to the next. */
typedef struct split_mve_runs {
    const int8_t* from;
    int32_t advance;
    int8_t* to;
    int32_t stride;
    int32_t pixels;
} split_mve_runs;

/* Writes the dot products of all filters with `bytes` bytes, 1..SPLIT_MVE_RUN or a multiple of 16 that split_mve_stores(),
 * one pixel after the other. */
void split_mve_store_dots(const split_mve_filters* filters, const split_mve_runs* runs, int32_t bytes);

SPLIT_ALWAYS_INLINE int split_mve_stores(int32_t bytes) {
    return bytes <= SPLIT_MVE_RUN || bytes == 80 || bytes == 96 || bytes == 128 || bytes == 144;
}

#endif /* SPLIT_NN_HELIUM_H_ */
