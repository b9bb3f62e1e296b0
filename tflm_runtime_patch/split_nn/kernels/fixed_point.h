/* The integer arithmetic of TFLM's int8 reference kernels. No argument leads to undefined behaviour.
 * It relies on arithmetic right shifts of negative numbers, which every supported compiler has. */
#ifndef SPLIT_NN_FIXED_POINT_H_
#define SPLIT_NN_FIXED_POINT_H_

#include <stdint.h>

/* a + b, a - b, a << bits modulo 2^32. */
static inline int32_t split_wrapping_add(int32_t a, int32_t b) {
    return (int32_t)((uint32_t)a + (uint32_t)b);
}
static inline int32_t split_wrapping_sub(int32_t a, int32_t b) {
    return (int32_t)((uint32_t)a - (uint32_t)b);
}
static inline int32_t split_wrapping_shift_left(int32_t a, int32_t bits) {
    return (int32_t)((uint32_t)a << (uint32_t)bits);
}

static inline int32_t split_clamp(int32_t value, int32_t low, int32_t high) {
    return value < low ? low : value > high ? high : value;
}

/* The upper half of 2*a*b, rounded to nearest, ties up. The one product that does not fit saturates.
 * TFLM adds a nudge with the sign of a*b and divides, rounding towards zero. For both signs that equals
 * floor((a*b + 2^30) / 2^31), which is what this computes. */
static inline int32_t split_high_mul(int32_t a, int32_t b) {
    int64_t high = ((int64_t)a * b + ((int64_t)1 << 30)) >> 31;
    return high > INT32_MAX ? INT32_MAX : (int32_t)high;
}

/* value / 2^exponent, rounded to nearest, ties away from zero. 0 <= exponent <= 31. */
static inline int32_t split_rounding_shift_right(int32_t value, int32_t exponent) {
    int32_t mask = (int32_t)((UINT32_C(1) << (uint32_t)exponent) - 1u);
    int32_t threshold = (mask >> 1) + (value < 0 ? 1 : 0);
    return (value >> exponent) + ((value & mask) > threshold ? 1 : 0);
}

/* value * multiplier * 2^(shift - 31), with TFLM's two roundings. -31 <= shift <= 30; positive shifts
 * go to the left. */
static inline int32_t split_requantize(int32_t value, int32_t multiplier, int32_t shift) {
    int32_t left = shift > 0 ? shift : 0;
    int32_t right = shift > 0 ? 0 : -shift;
    return split_rounding_shift_right(split_high_mul(split_wrapping_shift_left(value, left), multiplier), right);
}

/* sum / count, rounded to nearest, ties away from zero. It needs 64 bits: a hostile program can produce any sum. */
static inline int32_t split_average(int32_t sum, int32_t count) {
    const int64_t nudge = sum > 0 ? count / 2 : -(count / 2);
    return (int32_t)((sum + nudge) / count);
}

static inline int32_t split_leading_zeros(uint32_t value) {
    int32_t count = 0;
    while (count < 32 && (value & UINT32_C(0x80000000)) == 0) {
        value <<= 1;
        ++count;
    }
    return count;
}

#endif /* SPLIT_NN_FIXED_POINT_H_ */
