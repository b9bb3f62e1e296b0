/* What the kernels for the DSP extension share: four int8 in a register, dot products, the last step from sum
 * to int8. Only for files built with SPLIT_NN_DSP.
 *
 * A word holds elements 0..3, lowest byte first. `split_even` widens elements 0 and 2, `split_odd` 1 and 3,
 * to two int16 in one register, which SMLAD multiplies and sums in one instruction. Rows start at any address:
 * words are loaded through memcpy, which the compiler turns into LDR, never into LDRD or LDM. */
#ifndef SPLIT_NN_DSP_H_
#define SPLIT_NN_DSP_H_

#include <arm_acle.h>
#include <string.h>

#include "split_nn_internal.h"

static inline uint32_t split_load4(const int8_t* bytes) {
    uint32_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

static inline uint32_t split_even(uint32_t word) {
    return (uint32_t)__sxtb16((int8x4_t)word);
}

/* The next four have no intrinsic, or one that compilers do not fold into a single instruction. */
static inline uint32_t split_odd(uint32_t word) {
    uint32_t pair;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(pair) : "r"(word));
    return pair;
}

/* The lower halves of both; the upper halves of both. */
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

/* sum + both products of two pairs. */
static inline uint32_t split_add_products(uint32_t pair1, uint32_t pair2, uint32_t sum) {
    return (uint32_t)__smlad((int16x2_t)pair1, (int16x2_t)pair2, (int32_t)sum);
}

/* sums[2 * p + f] += dot product of `count` > 0 elements of values p and filter f. */
void split_dsp_dot_2x2(const int8_t* values0, const int8_t* values1, const int8_t* filter0, const int8_t* filter1,
                       int32_t count, uint32_t sums[4]);

/* sums[f] += dot product of `count` > 0 values and those of filter f; the four filters may coincide. */
void split_dsp_dot_1x4(const int8_t* values, const int8_t* const filters[4], int32_t count, uint32_t sums[4]);

/* How one channel becomes int8. */
typedef struct split_dsp_scale {
    int32_t multiplier;
    int32_t right; /* -shift - 1 */
} split_dsp_scale;

/* What all channels of a layer share. */
typedef struct split_dsp_target {
    int32_t nudge; /* 2 * zero point + 1 */
    int32_t min;
    int32_t max;
    int32_t narrow; /* is [min, max] less than all of int8? */
} split_dsp_target;

static inline split_dsp_scale split_dsp_scale_of(const split_requantization* to, int32_t channel) {
    const int32_t entry = channel * to->step;
    split_dsp_scale scale = {to->multipliers[entry], ~(int32_t)to->shifts[entry]};
    return scale;
}

static inline split_dsp_target split_dsp_target_of(int32_t zero_point, int32_t min, int32_t max) {
    split_dsp_target target = {2 * zero_point + 1, min, max, min != INT8_MIN || max != INT8_MAX};
    return target;
}

/* requantize(sum, scale) + zero point, for every argument. */
int32_t split_dsp_requantize_any(int32_t sum, split_dsp_scale scale, int32_t nudge);

/* The same with both roundings of TFLM in five instructions: SMMULR of twice the sum is the high product with
 * its rounding, as long as the double fits. Rounding halves away from zero is rounding them up, once negative
 * values are made less by one; the last of the bits shifted out is left to the end, where the zero point comes
 * in, doubled, so that nothing can overflow: the high product is within +-2^30. */
static inline int32_t split_dsp_requantize(int32_t sum, split_dsp_scale scale, int32_t nudge) {
    int32_t twice;
    if (scale.right < 0 || __builtin_add_overflow(sum, sum, &twice)) {
        return split_dsp_requantize_any(sum, scale, nudge);
    }
    const int32_t high = split_upper_product(twice, scale.multiplier);
    return (((high + (high >> 31)) >> scale.right) + nudge) >> 1;
}

static inline int8_t split_dsp_narrow(int32_t value, const split_dsp_target* target) {
    int32_t byte = (int32_t)__ssat(value, 8);
    if (target->narrow) {
        byte = split_clamp(byte, target->min, target->max);
    }
    return (int8_t)byte;
}

static inline int8_t split_dsp_to_int8(uint32_t sum, split_dsp_scale scale, const split_dsp_target* target) {
    return split_dsp_narrow(split_dsp_requantize((int32_t)sum, scale, target->nudge), target);
}

#endif /* SPLIT_NN_DSP_H_ */
