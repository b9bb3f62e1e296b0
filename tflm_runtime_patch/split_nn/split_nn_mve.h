/* What several MVE kernels share: requantisation of four sums and dot products.
 *
 * Loads and stores touch the bytes they are about and no others: the end of a run is predicated, or loaded
 * again from further left. An instruction works on 16 int8, 8 int16 or 4 int32 lanes. The kernels copy what
 * they are handed to locals: to the compiler a store of int8 may change anything that has an address. */
#ifndef SPLIT_NN_MVE_H_
#define SPLIT_NN_MVE_H_

#include <arm_mve.h>

#include "split_nn_fixed_point.h"
#include "split_nn_kernels.h"

/* int8 lanes of a vector; int32 lanes of one. */
#define SPLIT_MVE_BYTES 16
#define SPLIT_MVE_WORDS 4

/* Keeps a kernel's cases in frames of their own, so that its stack is that of one case. */
#define SPLIT_MVE_CASE __attribute__((noinline)) static

/* What must be part of its caller for the caller's constants and registers to count. */
#define SPLIT_MVE_INLINE __attribute__((always_inline)) static inline

/* Hides from the compiler how a pointer was made, so that it keeps one pointer where it would keep many. */
#define SPLIT_MVE_OPAQUE(pointer) __asm__("" : "+r"(pointer))

/* Has two vectors computed before anything is loaded that the source loads later: left to itself, GCC loads all
 * first, and then needs more registers than there are. */
#define SPLIT_MVE_NOW(vector1, vector2) __asm__ volatile("" : "+w"(vector1), "+w"(vector2) : : "memory")

/* value * 2^-right, rounded to nearest, ties away from zero; each lane of `shift` is -right, in -31..0.
 * VRSHL rounds ties up: below zero that is one unit too far, so these are moved down by one first, except
 * where there is nothing to round. */
SPLIT_MVE_INLINE int32x4_t split_mve_rounding_shift_right(int32x4_t value, int32x4_t shift) {
    const int32x4_t below_zero = vshrq_n_s32(vandq_s32(value, shift), 31);
    return vrshlq_s32(vqaddq_s32(value, below_zero), shift);
}

/* split_requantize() in every lane. VQRDMULH is split_high_mul(): floor((a*b + 2^30) / 2^31), saturated. */
SPLIT_MVE_INLINE int32x4_t split_mve_requantize(int32x4_t value, int32x4_t multiplier, int32x4_t shift) {
    const int32x4_t zero = vdupq_n_s32(0);
    value = vqrdmulhq_s32(vshlq_s32(value, vmaxq_s32(shift, zero)), multiplier);
    return split_mve_rounding_shift_right(value, vminq_s32(shift, zero));
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

/* Four copies of the one multiplier and shift of a requantisation that is not per channel. */
typedef struct split_mve_shared_scale {
    int32_t multiplier[SPLIT_MVE_WORDS];
    int8_t shift[SPLIT_MVE_WORDS];
} split_mve_shared_scale;

/* `from` with tables that can be read four channels at a time from any entry c * step on. */
static inline split_requantization split_mve_scales(const split_requantization* from, split_mve_shared_scale* shared) {
    split_requantization scales = *from;
    if (scales.step == 0) {
        vstrwq_s32(shared->multiplier, vdupq_n_s32(from->multipliers[0]));
        vstrbq_s32(shared->shift, vdupq_n_s32(from->shifts[0]));
        scales.multipliers = shared->multiplier;
        scales.shifts = shared->shift;
    }
    return scales;
}

/* From the sums of channels `channel` .. `channel` + 3 to their int8 at `output`. */
SPLIT_MVE_INLINE void split_mve_store4(const split_requantization* scales, int32_t channel, int32x4_t sums,
                                       int8_t* output) {
    const int32_t entry = channel & -scales->step;
    const int32x4_t multiplier = vldrwq_s32(scales->multipliers + entry);
    const int32x4_t shift = vldrbq_s32(scales->shifts + entry);
    const int32x4_t value = split_mve_requantize(sums, multiplier, shift);
    vstrbq_s32(output, split_mve_to_range(value, scales->zero_point, scales->min, scales->max));
}

/* The same for the channels whose lanes are in `p`. */
SPLIT_MVE_INLINE void split_mve_store(const split_requantization* scales, int32_t channel, int32x4_t sums,
                                      int8_t* output, mve_pred16_t p) {
    const int32_t entry = channel & -scales->step;
    const int32x4_t multiplier = vldrwq_z_s32(scales->multipliers + entry, p);
    const int32x4_t shift = vldrbq_z_s32(scales->shifts + entry, p);
    const int32x4_t value = split_mve_requantize(sums, multiplier, shift);
    vstrbq_p_s32(output, split_mve_to_range(value, scales->zero_point, scales->min, scales->max), p);
}

/* sums[lane] += dot product of values[count] with the `lane`th filter, whose weights lie `filter` bytes after
 * those of the lane before. */
SPLIT_MVE_INLINE void split_mve_add_dots4(int32_t sums[SPLIT_MVE_WORDS], const int8_t* values, const int8_t* weights,
                                          int32_t filter, int32_t count) {
    const int8_t* weights1 = weights + filter;
    const int8_t* weights2 = weights1 + filter;
    const int8_t* weights3 = weights2 + filter;
    int32_t sum0 = sums[0], sum1 = sums[1], sum2 = sums[2], sum3 = sums[3];
    for (int32_t whole = count / SPLIT_MVE_BYTES; whole > 0; --whole) {
        const int8x16_t value = vldrbq_s8(values);
        sum0 = vmladavaq_s8(sum0, vldrbq_s8(weights), value);
        sum1 = vmladavaq_s8(sum1, vldrbq_s8(weights1), value);
        sum2 = vmladavaq_s8(sum2, vldrbq_s8(weights2), value);
        sum3 = vmladavaq_s8(sum3, vldrbq_s8(weights3), value);
        values += SPLIT_MVE_BYTES;
        weights += SPLIT_MVE_BYTES;
        weights1 += SPLIT_MVE_BYTES;
        weights2 += SPLIT_MVE_BYTES;
        weights3 += SPLIT_MVE_BYTES;
    }
    const int32_t rest = count % SPLIT_MVE_BYTES;
    if (rest > 0) {
        const mve_pred16_t p = vctp8q((uint32_t)rest);
        const int8x16_t value = vldrbq_z_s8(values, p);
        sum0 = vmladavaq_s8(sum0, vldrbq_z_s8(weights, p), value);
        sum1 = vmladavaq_s8(sum1, vldrbq_z_s8(weights1, p), value);
        sum2 = vmladavaq_s8(sum2, vldrbq_z_s8(weights2, p), value);
        sum3 = vmladavaq_s8(sum3, vldrbq_z_s8(weights3, p), value);
    }
    sums[0] = sum0;
    sums[1] = sum1;
    sums[2] = sum2;
    sums[3] = sum3;
}

/* sum + dot product of values[count] with one filter. */
SPLIT_MVE_INLINE int32_t split_mve_add_dot(int32_t sum, const int8_t* values, const int8_t* weights, int32_t count) {
    for (; count > 0; count -= SPLIT_MVE_BYTES) {
        const mve_pred16_t p = vctp8q((uint32_t)count);
        sum = vmladavaq_s8(sum, vldrbq_z_s8(weights, p), vldrbq_z_s8(values, p));
        values += SPLIT_MVE_BYTES;
        weights += SPLIT_MVE_BYTES;
    }
    return sum;
}

#endif /* SPLIT_NN_MVE_H_ */
