/* What the kernels for the DSP extension share: four int8 in a register, and the last step from sum to int8.
 * Only for files built with SPLIT_NN_DSP.
 *
 * A word holds elements 0..3, lowest byte first. `split_even` widens elements 0 and 2, `split_odd` 1 and 3,
 * to two int16 in one register, which SMLAD multiplies and sums in one instruction. Rows start at any address:
 * words are loaded through memcpy, which the compiler turns into LDR, never into LDRD or LDM. */
#ifndef SPLIT_NN_DSP_H_
#define SPLIT_NN_DSP_H_

#include <arm_acle.h>
#include <stddef.h>
#include <string.h>

#include "../shared_int8.h"

#define SPLIT_DSP_INLINE static inline __attribute__((always_inline))

static inline uint32_t split_load4(const int8_t* bytes) {
    uint32_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

static inline uint32_t split_even(uint32_t word) {
    return (uint32_t)__sxtb16((int8x4_t)word);
}

/* sum + both products of two pairs. */
static inline uint32_t split_add_products(uint32_t pair1, uint32_t pair2, uint32_t sum) {
    return (uint32_t)__smlad((int16x2_t)pair1, (int16x2_t)pair2, (int32_t)sum);
}

/* The next seven have no intrinsic, or one that compilers do not fold into a single instruction. */
static inline uint32_t split_odd(uint32_t word) {
    uint32_t pair;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(pair) : "r"(word));
    return pair;
}

/* Two int16 sums, plus elements 0 and 2 or 1 and 3 of a word. */
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

/* value >> 1, limited to int8. */
static inline int32_t split_half_to_int8(int32_t value) {
    int32_t byte;
    __asm__("ssat %0, #8, %1, asr #1" : "=r"(byte) : "r"(value));
    return byte;
}

/* How many output pixels may be written while the first one's window is still to be read? All of them where the output
 * row lies on none of the input rows; otherwise the order in which pixels are read and written matters, see split_nn.h.
 * With `channel_wise`, all of them also where it lies on one whole pixels away: a channel then lies on nothing but
 * itself, and takes its pixels in the order asked for, however far the others are. */
int32_t split_dsp_pixels_together(const split_conv* conv, const int8_t* const* rows, const split_pixels* in,
                                  const int8_t* output, const split_pixels* out, int channel_wise);

/* Copies the window of output pixel x, `depth` channels from `channel` on, padding included, to `window`. */
void split_dsp_gather(const split_conv* conv, const int8_t* const* rows, const split_pixels* in, int32_t x,
                      int32_t channel, int32_t depth, int8_t* window);

/* What a pooling window sees of its input: in each of the rows that are not NULL, `count` pixels. */
typedef struct split_dsp_taps {
    const int8_t* const* rows;
    int32_t row_count;
    int32_t start; /* bytes from a row's first pixel to the first one seen */
    int32_t step;  /* from pixel to pixel */
    int32_t count;
} split_dsp_taps;

SPLIT_DSP_INLINE split_dsp_taps split_dsp_taps_of(const split_window* window, const int8_t* const* rows,
                                                  const split_pixels* in, int32_t x) {
    const split_reach at = split_reach_of(window, x, in->columns);
    const int32_t first = at.begin < at.end ? at.origin + at.begin * window->dilation : 0;
    split_dsp_taps taps = {rows, window->rows, first * in->stride, window->dilation * in->stride, at.end - at.begin};
    return taps;
}

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

/* requantize(sum) + zero point, limited to int8, for every argument. */
int32_t split_dsp_requantize_any(uint32_t sum, split_dsp_scale scale, int32_t nudge);

/* Is twice the sum an int32? */
static inline int split_fits_twice(uint32_t sum, int32_t* twice) {
    return !__builtin_add_overflow((int32_t)sum, (int32_t)sum, twice);
}

/* The same where twice the sum fits and the shift is to the right. Both roundings of TFLM in five instructions:
 * SMMULR of twice the sum is the high product with its rounding. Rounding halves away from zero is rounding
 * them up, once negative values are made less by one; the last of the bits shifted out is left to the end,
 * where the zero point comes in, doubled. The high product is within +-2^30, so nothing overflows. */
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

/* One channel's output, for every argument. */
void split_dsp_store_any(const split_requantization* to, const split_dsp_target* target, int32_t channel, uint32_t sum,
                         int8_t* pixel);

/* Four channels of a pixel. */
SPLIT_DSP_INLINE void split_dsp_store_four(const split_requantization* to, const split_dsp_target* target,
                                           int32_t channel, const uint32_t sums[4], int8_t* pixel) {
    const split_dsp_scale scale0 = split_dsp_scale_of(to, channel), scale1 = split_dsp_scale_of(to, channel + 1);
    const split_dsp_scale scale2 = split_dsp_scale_of(to, channel + 2), scale3 = split_dsp_scale_of(to, channel + 3);
    int32_t twice0, twice1, twice2, twice3;
    if ((scale0.right | scale1.right | scale2.right | scale3.right | target->narrow) >= 0 &&
        split_fits_twice(sums[0], &twice0) && split_fits_twice(sums[1], &twice1) &&
        split_fits_twice(sums[2], &twice2) && split_fits_twice(sums[3], &twice3)) {
        pixel[channel] = (int8_t)split_dsp_requantize_twice(twice0, scale0, target->nudge);
        pixel[channel + 1] = (int8_t)split_dsp_requantize_twice(twice1, scale1, target->nudge);
        pixel[channel + 2] = (int8_t)split_dsp_requantize_twice(twice2, scale2, target->nudge);
        pixel[channel + 3] = (int8_t)split_dsp_requantize_twice(twice3, scale3, target->nudge);
    } else {
        split_dsp_store_any(to, target, channel, sums[0], pixel);
        split_dsp_store_any(to, target, channel + 1, sums[1], pixel);
        split_dsp_store_any(to, target, channel + 2, sums[2], pixel);
        split_dsp_store_any(to, target, channel + 3, sums[3], pixel);
    }
}

#endif /* SPLIT_NN_DSP_H_ */
