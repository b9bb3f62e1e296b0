/* What the DSP kernels share: four int8 in a register, and the way from a sum to an int8. Only for files built with
 * SPLIT_NN_DSP.
 *
 * A word holds elements 0..3, the lowest byte first. `split_even` widens elements 0 and 2 to two int16 in a register,
 * `split_odd` elements 1 and 3. SMLAD multiplies two such pairs and adds both products in one instruction.
 *
 *        word             | e3 | e2 | e1 | e0 |
 *        split_even(word) |   e2    |   e0    |
 *        split_odd(word)  |   e3    |   e1    |
 *
 * Rows start at any address, so words are loaded by memcpy. The compiler turns it into LDR, never into LDRD or LDM,
 * which need aligned addresses. */
#ifndef SPLIT_NN_DSP_H_
#define SPLIT_NN_DSP_H_

#include <arm_acle.h>
#include <stddef.h>
#include <string.h>

#include "../shared_int8.h"
#include "../windows.h"

static inline uint32_t split_load4(const int8_t* bytes) {
    uint32_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

static inline uint32_t split_even(uint32_t word) {
    return (uint32_t)__sxtb16((int8x4_t)word);
}

/* sum plus the two products of two pairs. */
static inline uint32_t split_add_products(uint32_t pair1, uint32_t pair2, uint32_t sum) {
    return (uint32_t)__smlad((int16x2_t)pair1, (int16x2_t)pair2, (int32_t)sum);
}

/* The next seven are in assembler: they have no intrinsic, or one that compilers turn into several instructions. */
static inline uint32_t split_odd(uint32_t word) {
    uint32_t pair;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(pair) : "r"(word));
    return pair;
}

/* Two int16 sums plus elements 0 and 2, or 1 and 3, of a word. */
static inline uint32_t split_add_even(uint32_t sums, uint32_t word) {
    uint32_t added;
    __asm__("sxtab16 %0, %1, %2" : "=r"(added) : "r"(sums), "r"(word));
    return added;
}
static inline uint32_t split_add_odd(uint32_t sums, uint32_t word) {
    uint32_t added;
    __asm__("sxtab16 %0, %1, %2, ror #8" : "=r"(added) : "r"(sums), "r"(word));
    return added;
}

/* A pair of the lower halves of both words, and one of the upper halves. */
static inline uint32_t split_lower_halves(uint32_t first, uint32_t second) {
    uint32_t pair;
    __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(pair) : "r"(first), "r"(second));
    return pair;
}
static inline uint32_t split_upper_halves(uint32_t first, uint32_t second) {
    uint32_t pair;
    __asm__("pkhtb %0, %1, %2, asr #16" : "=r"(pair) : "r"(second), "r"(first));
    return pair;
}

/* (a * b + 2^31) >> 32 */
static inline int32_t split_upper_product(int32_t a, int32_t b) {
    int32_t product;
    __asm__("smmulr %0, %1, %2" : "=r"(product) : "r"(a), "r"(b));
    return product;
}

/* value >> 1, saturated to int8. */
static inline int32_t split_half_to_int8(int32_t value) {
    int32_t byte;
    __asm__("ssat %0, #8, %1, asr #1" : "=r"(byte) : "r"(value));
    return byte;
}

/* The taps of a pooling window that lie inside the input: `count` pixels in each of the rows that are not NULL. */
typedef struct split_dsp_taps {
    const int8_t* const* rows;
    int32_t row_count;
    int32_t start; /* bytes from a row's first pixel to the first tap */
    int32_t step;  /* bytes from one tap to the next */
    int32_t count;
} split_dsp_taps;

SPLIT_ALWAYS_INLINE split_dsp_taps split_dsp_taps_of(const split_window* window, const int8_t* const* rows,
                                                     const split_pixels* in, int32_t x) {
    const split_reach at = split_reach_of(window, x, in->columns);
    const int32_t first = at.begin < at.end ? at.origin + at.begin * window->dilation : 0;
    split_dsp_taps taps = {rows, window->rows, first * in->stride, window->dilation * in->stride, at.end - at.begin};
    return taps;
}

/* How the sum of one channel becomes an int8. */
typedef struct split_dsp_scale {
    int32_t multiplier;
    int32_t right; /* -shift - 1 */
} split_dsp_scale;

/* What all channels of a layer have in common. */
typedef struct split_dsp_target {
    int32_t nudge; /* 2 * zero point + 1 */
    int32_t min;
    int32_t max;
    int32_t narrow; /* -1: [min, max] is less than all of int8; 0: it is not */
} split_dsp_target;

static inline split_dsp_scale split_dsp_scale_of(const split_requantization* to, int32_t channel) {
    const int32_t entry = channel * to->step;
    split_dsp_scale scale = {to->multipliers[entry], ~(int32_t)to->shifts[entry]};
    return scale;
}

static inline split_dsp_target split_dsp_target_of(int32_t zero_point, int32_t min, int32_t max) {
    split_dsp_target target = {2 * zero_point + 1, min, max, min != INT8_MIN || max != INT8_MAX ? -1 : 0};
    return target;
}

/* requantize(sum) + zero point, saturated to int8, for all arguments. */
int32_t split_dsp_requantize_any(uint32_t sum, split_dsp_scale scale, int32_t nudge);

/* Does twice the sum fit an int32? */
static inline int split_fits_twice(uint32_t sum, int32_t* twice) {
    return !__builtin_add_overflow((int32_t)sum, (int32_t)sum, twice);
}

/* The same, if twice the sum fits and the shift is to the right. It does both roundings of TFLM in five instructions.
 *
 * First: SMMULR of twice the sum and the multiplier is the rounded high product. It is within +-2^30, so nothing below
 * overflows. Second: TFLM rounds ties away from zero. That equals rounding ties up after 1 is subtracted from negative
 * values. The shift stops one bit early, so that `nudge` can add the zero point and the rounding together, doubled; the
 * saturating instruction shifts by the last bit. */
static inline int32_t split_dsp_requantize_twice(int32_t twice, split_dsp_scale scale, int32_t nudge) {
    const int32_t high = split_upper_product(twice, scale.multiplier);
    return split_half_to_int8(((high + (high >> 31)) >> scale.right) + nudge);
}

static inline int8_t split_dsp_to_int8(uint32_t sum, split_dsp_scale scale, const split_dsp_target* target) {
    int32_t twice;
    int32_t byte;
    if (scale.right < 0 || !split_fits_twice(sum, &twice)) {
        byte = split_dsp_requantize_any(sum, scale, target->nudge);
    } else {
        byte = split_dsp_requantize_twice(twice, scale, target->nudge);
    }
    if (target->narrow) {
        byte = split_clamp(byte, target->min, target->max);
    }
    return (int8_t)byte;
}

/* Writes `count` channels of a pixel, for all arguments. */
void split_dsp_store_any(const split_requantization* to, const split_dsp_target* target, int32_t channel,
                         const uint32_t* sums, int32_t count, int8_t* pixel);

/* The same scale, prepared for split_dsp_to_int8_fast. */
typedef struct split_dsp_fast_scale {
    int32_t multiplier;
    int32_t start; /* what is added to the high product: the zero point and one half, shifted to the left */
    int32_t right; /* 1..20 */
} split_dsp_fast_scale;

/* May sums with this multiplier and shift be requantized by split_dsp_to_int8_fast? The shift must be 1 to 20 bits to the
 * right, and the multiplier at least 2^30. Of several multipliers, those without bit 31, it is enough to ask for all bits
 * that they share. */
static inline int split_dsp_is_fast_shift(int32_t shift) {
    return (uint32_t)(shift + 20) < 20u;
}
static inline int split_dsp_is_fast(int32_t multiplier, int32_t shift) {
    return multiplier >= (int32_t)1 << 30 && split_dsp_is_fast_shift(shift);
}

static inline split_dsp_fast_scale split_dsp_fast_scale_of(int32_t multiplier, int32_t shift, int32_t nudge) {
    const split_dsp_fast_scale scale = {multiplier, (int32_t)((uint32_t)nudge << (uint32_t)~shift), -shift};
    return scale;
}

/* Requantizes in five instructions, without a branch.
 *
 * QADD doubles the sum. If that saturates, the true value lies beyond +-2^29 before the shift and beyond +-2^9 behind it,
 * and so does what is computed: both end at the same limit. SMMLAR gives the rounded high product plus `start`. TFLM
 * rounds ties away from zero, which equals rounding up after 1 is subtracted from negative values. The sign is taken of
 * the doubled sum. It differs from that of the high product only if that is 0, and then the 1 does not matter. */
static inline int32_t split_dsp_to_int8_fast(uint32_t sum, split_dsp_fast_scale scale) {
    int32_t twice, high, byte;
    __asm__("qadd %0, %1, %1" : "=r"(twice) : "r"(sum));
    __asm__("smmlar %0, %1, %2, %3" : "=r"(high) : "r"(twice), "r"(scale.multiplier), "r"(scale.start));
    high = (high + (twice >> 31)) >> scale.right;
    __asm__("ssat %0, #8, %1" : "=r"(byte) : "r"(high));
    return byte;
}

/* Writes four channels of a pixel, if all become bytes the fast way: 1. Otherwise it does nothing: 0. */
SPLIT_ALWAYS_INLINE int split_dsp_store_four_fast(const split_requantization* to, const split_dsp_target* target,
                                                  int32_t channel, const uint32_t sums[4], int8_t* pixel) {
    const int32_t step = to->step, nudge = target->nudge;
    const int32_t* const multipliers = to->multipliers + channel * step;
    const int8_t* const shifts = to->shifts + channel * step;
    const int32_t multiplier0 = multipliers[0], multiplier1 = multipliers[step];
    const int32_t multiplier2 = multipliers[2 * step], multiplier3 = multipliers[3 * step];
    const int32_t shift0 = shifts[0], shift1 = shifts[step], shift2 = shifts[2 * step], shift3 = shifts[3 * step];
    if (!split_dsp_is_fast(multiplier0 & multiplier1 & multiplier2 & multiplier3, shift0) ||
        !split_dsp_is_fast_shift(shift1) || !split_dsp_is_fast_shift(shift2) || !split_dsp_is_fast_shift(shift3) ||
        target->narrow) {
        return 0;
    }
    int8_t* const to4 = pixel + channel;
    to4[0] = (int8_t)split_dsp_to_int8_fast(sums[0], split_dsp_fast_scale_of(multiplier0, shift0, nudge));
    to4[1] = (int8_t)split_dsp_to_int8_fast(sums[1], split_dsp_fast_scale_of(multiplier1, shift1, nudge));
    to4[2] = (int8_t)split_dsp_to_int8_fast(sums[2], split_dsp_fast_scale_of(multiplier2, shift2, nudge));
    to4[3] = (int8_t)split_dsp_to_int8_fast(sums[3], split_dsp_fast_scale_of(multiplier3, shift3, nudge));
    return 1;
}

/* Writes four channels of a pixel. */
SPLIT_ALWAYS_INLINE void split_dsp_store_four(const split_requantization* to, const split_dsp_target* target,
                                              int32_t channel, const uint32_t sums[4], int8_t* pixel) {
    if (!split_dsp_store_four_fast(to, target, channel, sums, pixel)) {
        const uint32_t copies[4] = {sums[0], sums[1], sums[2], sums[3]}; /* the sums themselves stay in registers */
        split_dsp_store_any(to, target, channel, copies, 4, pixel);
    }
}

#endif /* SPLIT_NN_DSP_H_ */
