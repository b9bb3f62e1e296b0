/* What several MVE kernels share: dot products, and the way from sums to int8.
 *
 * Loads and stores touch the bytes they are about and no others: the end of a run is predicated, or loaded
 * again from further left. An instruction works on 16 int8, 8 int16 or 4 int32 lanes. Kernels copy what they
 * are handed to locals: to the compiler a store of int8 may change anything that has an address. */
#ifndef SPLIT_NN_HELIUM_H_
#define SPLIT_NN_HELIUM_H_

#include <arm_mve.h>

#include "../shared_int8.h"

/* int8 lanes of a vector; int32 lanes of one. */
#define SPLIT_MVE_BYTES 16
#define SPLIT_MVE_WORDS 4

/* Sums a kernel keeps on its stack until it turns them into int8 together. */
#define SPLIT_MVE_BATCH 64

/* Keeps a kernel's cases in frames of their own, so that its stack is that of one case. */
#define SPLIT_MVE_CASE __attribute__((noinline)) static

/* What must be part of its caller for the caller's constants and registers to count. */
#define SPLIT_MVE_INLINE __attribute__((always_inline)) static inline

/* Has two vectors computed before anything is loaded that the source loads later: left to itself, GCC loads all
 * first, and then needs more registers than there are. */
#define SPLIT_MVE_NOW(vector1, vector2) __asm__ volatile("" : "+w"(vector1), "+w"(vector2) : : "memory")

/* value * 2^-right, rounded to nearest, ties away from zero; each lane of `shift` is -right, in -31..0.
 * VRSHL rounds ties up: below zero that is one unit too far, so these are moved down by one first, except
 * where there is nothing to round. */
SPLIT_MVE_INLINE int32x4_t split_mve_rounding_shift_right(int32x4_t value, int32x4_t shift) {
    const int32x4_t below_zero = vshrq_n_s32(vandq_s32(value, shift), 31);
    return vrshlq_s32(vaddq_s32(value, below_zero), shift);
}

/* split_requantize() in every lane. VQRDMULH is split_high_mul(): floor((a*b + 2^30) / 2^31), saturated. */
SPLIT_MVE_INLINE int32x4_t split_mve_requantize(int32x4_t value, int32x4_t multiplier, int32x4_t shift) {
    const int32x4_t zero = vdupq_n_s32(0);
    value = vqrdmulhq_s32(vshlq_s32(value, vmaxq_s32(shift, zero)), multiplier);
    return split_mve_rounding_shift_right(value, vminq_s32(shift, zero));
}

/* The same where every shift is below 0. */
SPLIT_MVE_INLINE int32x4_t split_mve_requantize_right(int32x4_t value, int32x4_t multiplier, int32x4_t shift) {
    value = vqrdmulhq_s32(value, multiplier);
    return vrshlq_s32(vaddq_s32(value, vshrq_n_s32(value, 31)), shift);
}

/* The same where all lanes share multiplier and shift. */
SPLIT_MVE_INLINE int32x4_t split_mve_requantize_n(int32x4_t value, int32_t multiplier, int32_t shift) {
    if (shift > 0) {
        return vqrdmulhq_n_s32(vshlq_r_s32(value, shift), multiplier);
    }
    return split_mve_rounding_shift_right(vqrdmulhq_n_s32(value, multiplier), vdupq_n_s32(shift));
}

/* clamp(value + zero_point, low, high), the sum modulo 2^32. */
SPLIT_MVE_INLINE int32x4_t split_mve_to_range(int32x4_t value, int32_t zero_point, int32_t low, int32_t high) {
    value = vmaxq_s32(vaddq_n_s32(value, zero_point), vdupq_n_s32(low));
    return vminq_s32(value, vdupq_n_s32(high));
}

/* Elements at from[0], from[stride], ... in the lanes of `p`; a stride of 1, or 0: one for all. */
SPLIT_MVE_INLINE int32x4_t split_mve_operand4(const int8_t* from, int32_t stride, mve_pred16_t p) {
    return stride == 0 ? vdupq_n_s32(*from) : vldrbq_z_s32(from, p);
}

/* The taps of a window column by column: `count` of them read an input pixel, the first one pixel `first`. */
typedef struct split_taps {
    int32_t first;
    int32_t count;
} split_taps;

SPLIT_MVE_INLINE split_taps split_mve_taps(const split_window* window, int32_t origin, int32_t columns) {
    split_taps taps = {origin, window->columns};
    if (origin < 0 || origin + (window->columns - 1) * window->dilation >= columns) {
        int32_t begin, end;
        split_clip_window(window, origin, columns, &begin, &end);
        taps.first = origin + begin * window->dilation;
        taps.count = end - begin;
    }
    return taps;
}

/* A requantisation, and whether the short way will do for all of its `channels`. */
typedef struct split_mve_scales {
    split_requantization to;
    int32_t only_right; /* per channel, and every shift is below 0 */
} split_mve_scales;

split_mve_scales split_mve_scales_of(const split_requantization* to, int32_t channels);

/* Turns the sums of channels `channel`, ... into `count` int8. Reads sums up to the next multiple of four. */
void split_mve_store(const split_mve_scales* scales, int32_t channel, const int32_t* sums, int32_t count,
                     int8_t* output);

/* sums[f] = initial[f] + dot product of values[bytes] with filter f, whose weights start at weights + f * filter.
 * `initial` may be `sums`. */
void split_mve_dots(int32_t* sums, const int32_t* initial, int32_t filters, const int8_t* values, int32_t bytes,
                    const int8_t* weights, int32_t filter);

#endif /* SPLIT_NN_HELIUM_H_ */
