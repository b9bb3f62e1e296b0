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

/* split_high_mul() without products of 64 bits, for cores that multiply 32 bits at most. b is not negative.
 * With a = a1 * 2^16 + a0 and b likewise: a * b + 2^30 = a1 * b1 * 2^32 + (a1 * b0 + a0 * b1 + 2^14) * 2^16 + a0 * b0. What
 * stands before 2^16 may need 33 bits, so it is divided by 2^15 in two parts. */
static inline int32_t split_high_mul_of_halves(int32_t a, int32_t b) {
    const int32_t a1 = a >> 16, b1 = b >> 16;
    const uint32_t a0 = (uint32_t)a & 0xffffu, b0 = (uint32_t)b & 0xffffu;
    const int32_t signed_part = a1 * (int32_t)b0;
    const uint32_t rest = a0 * (uint32_t)b1 + ((a0 * b0) >> 16) + (UINT32_C(1) << 14);
    const uint32_t carry = (((uint32_t)signed_part & 0x7fffu) + (rest & 0x7fffu)) >> 15;
    return (int32_t)((uint32_t)(2 * a1 * b1) + (uint32_t)(signed_part >> 15) + (rest >> 15) + carry);
}

/* split_high_mul() where b is not negative: nothing saturates, and the result is above -2^31. */
static inline int32_t split_high_mul_positive(int32_t a, int32_t b) {
#if defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 1
    return split_high_mul_of_halves(a, b);
#else
    return (int32_t)(((int64_t)a * b + ((int64_t)1 << 30)) >> 31);
#endif
}

/* value / 2^exponent, rounded to nearest, ties away from zero. 0 <= exponent <= 31. */
static inline int32_t split_rounding_shift_right(int32_t value, int32_t exponent) {
    int32_t mask = (int32_t)((UINT32_C(1) << (uint32_t)exponent) - 1u);
    int32_t threshold = (mask >> 1) + (value < 0 ? 1 : 0);
    return (value >> exponent) + ((value & mask) > threshold ? 1 : 0);
}

/* split_requantize() for all arguments. */
int32_t split_requantize_any(int32_t value, int32_t multiplier, int32_t shift);

/* split_requantize() where the multiplier is not negative and the shift is -1 - right, which is to the right.
 * Ties away from zero equal ties up after 1 is subtracted from negative values. The shift stops one bit early, so that
 * nothing overflows where one half is added. */
static inline int32_t split_requantize_right(int32_t value, int32_t multiplier, int32_t right) {
    const int32_t high = split_high_mul_positive(value, multiplier);
    return (((high + (high >> 31)) >> right) + 1) >> 1;
}

/* value * multiplier * 2^(shift - 31), with TFLM's two roundings. -31 <= shift <= 30; positive shifts
 * go to the left. */
static inline int32_t split_requantize(int32_t value, int32_t multiplier, int32_t shift) {
    if (shift > 0 || multiplier < 0) {
        return split_requantize_any(value, multiplier, shift);
    }
    return shift < 0 ? split_requantize_right(value, multiplier, ~shift) : split_high_mul_positive(value, multiplier);
}

/* sum / count, rounded to nearest, ties away from zero, for count > 0 and any sum: a hostile program can produce any. */
static inline int32_t split_average(int32_t sum, int32_t count) {
#if defined(__thumb__) && !defined(__thumb2__)
    /* The magnitude is divided, which fits 32 bits without its sign. On cores that cannot divide, a division of 64 bits takes
     * 900 bytes of code. */
    const uint32_t magnitude = sum < 0 ? 0u - (uint32_t)sum : (uint32_t)sum;
    const uint32_t average = (magnitude + (uint32_t)count / 2u) / (uint32_t)count;
    return (int32_t)(sum < 0 ? 0u - average : average);
#else
    const int64_t nudge = sum > 0 ? count / 2 : -(count / 2);
    return (int32_t)((sum + nudge) / count);
#endif
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
