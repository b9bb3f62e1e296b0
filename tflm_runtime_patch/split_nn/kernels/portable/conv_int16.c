/* CONV_INT16 and, with a 1x1 window, FULLY_CONNECTED: one output row. Stack: below 370 bytes. */
#include "../target.h"

#if !defined(SPLIT_NN_DSP) && !defined(SPLIT_NN_MVE)

#include "../conv_int16_row.h"
#include "dots.h"

#if defined(SPLIT_THUMB_1)
#define DOTS static SPLIT_NOINLINE /* its loop needs all registers there are */
#else
#define DOTS SPLIT_ALWAYS_INLINE
#endif

/* `count` is at least 1. */
DOTS void dots(const int16_t* values, const int8_t* weights0, int32_t filter, int32_t count, int32_t sums[4]) {
    const int8_t* weights1 = weights0 + filter;
    const int8_t* weights2 = weights1 + filter;
    const int8_t* weights3 = weights2 + filter;
    int32_t sum0 = sums[0], sum1 = sums[1], sum2 = sums[2], sum3 = sums[3];
#if defined(SPLIT_THUMB_1)
    /* Thumb-1 computes with eight registers only: the compiler would move the sums to and fro. See dots.c. */
    int32_t value, weight, k = -count;
    weights0 += count;
    weights1 += count;
    weights2 += count;
    weights3 += count;
    __asm__(
        ".syntax unified\n"
        "1:\tldrh %[value], [%[values]]\n\t"
        "sxth %[value], %[value]\n\t"
        "adds %[values], #2\n\t"
        "ldrsb %[weight], [%[weights0], %[k]]\n\t"
        "muls %[weight], %[value]\n\t"
        "add %[sum0], %[weight]\n\t"
        "ldrsb %[weight], [%[weights1], %[k]]\n\t"
        "muls %[weight], %[value]\n\t"
        "add %[sum1], %[weight]\n\t"
        "ldrsb %[weight], [%[weights2], %[k]]\n\t"
        "muls %[weight], %[value]\n\t"
        "add %[sum2], %[weight]\n\t"
        "ldrsb %[weight], [%[weights3], %[k]]\n\t"
        "muls %[weight], %[value]\n\t"
        "add %[sum3], %[weight]\n\t"
        "adds %[k], #1\n\t"
        "bne 1b"
        : [value] "=&l"(value), [weight] "=&l"(weight), [values] "+&l"(values), [k] "+&l"(k), [sum0] "+&h"(sum0),
          [sum1] "+&h"(sum1), [sum2] "+&h"(sum2), [sum3] "+&h"(sum3)
        : [weights0] "l"(weights0), [weights1] "l"(weights1), [weights2] "l"(weights2), [weights3] "l"(weights3)
        : "memory", "cc");
#else
    for (const int16_t* const end = values + count; values != end;) {
        const int32_t value = *values++;
        sum0 += *weights0++ * value;
        SPLIT_IN_REGISTER(sum0);
        sum1 += *weights1++ * value;
        SPLIT_IN_REGISTER(sum1);
        sum2 += *weights2++ * value;
        SPLIT_IN_REGISTER(sum2);
        sum3 += *weights3++ * value;
        SPLIT_IN_REGISTER(sum3);
    }
#endif
    sums[0] = sum0;
    sums[1] = sum1;
    sums[2] = sum2;
    sums[3] = sum3;
}

static SPLIT_NOINLINE void add_stretches(const split_stretches* on, const int8_t* weights, int32_t filter,
                                         int32_t sums[4]) {
    split_add_stretches(on, weights, filter, sums, dots);
}

void split_nn_conv_int16_row(const split_conv_int16* conv, const int16_t* const* rows, const split_pixels* in,
                             int16_t* output, const split_pixels* out) {
    split_conv_int16_row_of(conv, rows, in, output, out, add_stretches);
}

#endif /* !SPLIT_NN_DSP && !SPLIT_NN_MVE */
