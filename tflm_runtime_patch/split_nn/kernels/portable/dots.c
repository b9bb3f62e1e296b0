/* Four dot products at once. Stack: below 100 bytes. */
#include "../target.h"

#if !defined(SPLIT_NN_DSP) && !defined(SPLIT_NN_MVE)

#include "dots.h"

/* Both functions step through an element at a time (STEP_2X2, STEP_1X4), which is in assembler where the compiler takes
 * more instructions for it. Thumb-2 advances a pointer as it loads. Thumb-1 has eight registers to compute with, so that
 * an index runs up to 0 behind pointers that stand still, and the sums lie in the other registers; its compiler moves them
 * to and fro, unless the whole loop is one statement. */
#if defined(__thumb2__) && defined(__OPTIMIZE__)

#define STEP_2X2                                                                                                \
    __asm__(                                                                                                    \
        "ldrsb %[value0], [%[values0]], #1\n\t"                                                                 \
        "ldrsb %[value1], [%[values1]], #1\n\t"                                                                 \
        "ldrsb %[weight], [%[weights0]], #1\n\t"                                                                \
        "mla %[sum0], %[weight], %[value0], %[sum0]\n\t"                                                        \
        "mla %[sum1], %[weight], %[value1], %[sum1]\n\t"                                                        \
        "ldrsb %[weight], [%[weights1]], #1\n\t"                                                                \
        "mla %[sum2], %[weight], %[value0], %[sum2]\n\t"                                                        \
        "mla %[sum3], %[weight], %[value1], %[sum3]"                                                            \
        : [value0] "=&r"(value0), [value1] "=&r"(value1), [weight] "=&r"(weight), [values0] "+&r"(values0),     \
          [values1] "+&r"(values1), [weights0] "+&r"(weights0), [weights1] "+&r"(weights1), [sum0] "+&r"(sum0), \
          [sum1] "+&r"(sum1), [sum2] "+&r"(sum2), [sum3] "+&r"(sum3)                                            \
        :                                                                                                       \
        : "memory")
#define STEP_1X4                                                                                                  \
    __asm__(                                                                                                      \
        "ldrsb %[value], [%[values]], #1\n\t"                                                                     \
        "ldrsb %[weight], [%[weights0]], #1\n\t"                                                                  \
        "mla %[sum0], %[weight], %[value], %[sum0]\n\t"                                                           \
        "ldrsb %[weight], [%[weights1]], #1\n\t"                                                                  \
        "mla %[sum1], %[weight], %[value], %[sum1]\n\t"                                                           \
        "ldrsb %[weight], [%[weights2]], #1\n\t"                                                                  \
        "mla %[sum2], %[weight], %[value], %[sum2]\n\t"                                                           \
        "ldrsb %[weight], [%[weights3]], #1\n\t"                                                                  \
        "mla %[sum3], %[weight], %[value], %[sum3]"                                                               \
        : [value] "=&r"(value), [weight] "=&r"(weight), [values] "+&r"(values), [weights0] "+&r"(weights0),       \
          [weights1] "+&r"(weights1), [weights2] "+&r"(weights2), [weights3] "+&r"(weights3), [sum0] "+&r"(sum0), \
          [sum1] "+&r"(sum1), [sum2] "+&r"(sum2), [sum3] "+&r"(sum3)                                              \
        :                                                                                                         \
        : "memory")

#elif defined(SPLIT_THUMB_1)

#define WHOLE_LOOPS 1
#define ALL_2X2                                                                                                     \
    __asm__(                                                                                                        \
        ".syntax unified\n"                                                                                         \
                                                                                                                    \
        "1:\tldrsb %[value0], [%[values0], %[k]]\n\t"                                                               \
        "ldrsb %[weight], [%[weights0], %[k]]\n\t"                                                                  \
        "movs %[value1], %[weight]\n\t"                                                                             \
        "muls %[value1], %[value0]\n\t"                                                                             \
        "add %[sum0], %[value1]\n\t"                                                                                \
        "ldrsb %[value1], [%[values1], %[k]]\n\t"                                                                   \
        "muls %[weight], %[value1]\n\t"                                                                             \
        "add %[sum1], %[weight]\n\t"                                                                                \
        "ldrsb %[weight], [%[weights1], %[k]]\n\t"                                                                  \
        "muls %[value0], %[weight]\n\t"                                                                             \
        "add %[sum2], %[value0]\n\t"                                                                                \
        "muls %[weight], %[value1]\n\t"                                                                             \
        "add %[sum3], %[weight]\n\t"                                                                                \
        "adds %[k], #1\n\t"                                                                                         \
        "bne 1b"                                                                                                    \
        : [value0] "=&l"(value0), [value1] "=&l"(value1), [weight] "=&l"(weight), [k] "+&l"(k), [sum0] "+&h"(sum0), \
          [sum1] "+&h"(sum1), [sum2] "+&h"(sum2), [sum3] "+&h"(sum3)                                                \
        : [values0] "l"(values0), [values1] "l"(values1), [weights0] "l"(weights0), [weights1] "l"(weights1)        \
        : "memory", "cc")
#define ALL_1X4                                                                                               \
    __asm__(                                                                                                  \
        ".syntax unified\n"                                                                                   \
                                                                                                              \
        "1:\tldrsb %[value], [%[values], %[k]]\n\t"                                                           \
        "ldrsb %[weight], [%[weights0], %[k]]\n\t"                                                            \
        "muls %[weight], %[value]\n\t"                                                                        \
        "add %[sum0], %[weight]\n\t"                                                                          \
        "ldrsb %[weight], [%[weights1], %[k]]\n\t"                                                            \
        "muls %[weight], %[value]\n\t"                                                                        \
        "add %[sum1], %[weight]\n\t"                                                                          \
        "ldrsb %[weight], [%[weights2], %[k]]\n\t"                                                            \
        "muls %[weight], %[value]\n\t"                                                                        \
        "add %[sum2], %[weight]\n\t"                                                                          \
        "ldrsb %[weight], [%[weights3], %[k]]\n\t"                                                            \
        "muls %[weight], %[value]\n\t"                                                                        \
        "add %[sum3], %[weight]\n\t"                                                                          \
        "adds %[k], #1\n\t"                                                                                   \
        "bne 1b"                                                                                              \
        : [value] "=&l"(value), [weight] "=&l"(weight), [k] "+&l"(k), [sum0] "+&h"(sum0), [sum1] "+&h"(sum1), \
          [sum2] "+&h"(sum2), [sum3] "+&h"(sum3)                                                              \
        : [values] "l"(values), [weights0] "l"(weights0), [weights1] "l"(weights1), [weights2] "l"(weights2), \
          [weights3] "l"(weights3)                                                                            \
        : "memory", "cc")

#else

#define STEP_2X2                                 \
    do {                                         \
        value0 = *values0++;                     \
        value1 = *values1++;                     \
        weight = *weights0++;                    \
        SPLIT_ADD_PRODUCT(sum0, weight, value0); \
        SPLIT_ADD_PRODUCT(sum1, weight, value1); \
        weight = *weights1++;                    \
        SPLIT_ADD_PRODUCT(sum2, weight, value0); \
        SPLIT_ADD_PRODUCT(sum3, weight, value1); \
    } while (0)
#define STEP_1X4                                \
    do {                                        \
        value = *values++;                      \
        weight = *weights0++;                   \
        SPLIT_ADD_PRODUCT(sum0, weight, value); \
        weight = *weights1++;                   \
        SPLIT_ADD_PRODUCT(sum1, weight, value); \
        weight = *weights2++;                   \
        SPLIT_ADD_PRODUCT(sum2, weight, value); \
        weight = *weights3++;                   \
        SPLIT_ADD_PRODUCT(sum3, weight, value); \
    } while (0)

#endif

void split_add_dots_2x2(uint32_t sums[SPLIT_DOTS], const int8_t* values0, int32_t apart, const int8_t* weights0,
                        int32_t filter, int32_t count) {
    const int8_t* values1 = values0 + apart;
    const int8_t* weights1 = weights0 + filter;
    uint32_t sum0 = sums[0], sum1 = sums[1], sum2 = sums[2], sum3 = sums[3];
    int32_t value0, value1, weight;
#if defined(WHOLE_LOOPS)
    values0 += count;
    values1 += count;
    weights0 += count;
    weights1 += count;
    int32_t k = -count;
    if (k != 0) {
        ALL_2X2;
    }
#else
    const int8_t* const end = values0 + count;
    while (values0 != end - (count & 3)) {
        STEP_2X2;
        STEP_2X2;
        STEP_2X2;
        STEP_2X2;
    }
    while (values0 != end) {
        STEP_2X2;
    }
#endif
    sums[0] = sum0;
    sums[1] = sum1;
    sums[2] = sum2;
    sums[3] = sum3;
}

void split_add_dots_1x4(uint32_t sums[SPLIT_DOTS], const int8_t* values, const int8_t* weights0, int32_t filter,
                        int32_t count) {
    const int8_t* weights1 = weights0 + filter;
    const int8_t* weights2 = weights1 + filter;
    const int8_t* weights3 = weights2 + filter;
    uint32_t sum0 = sums[0], sum1 = sums[1], sum2 = sums[2], sum3 = sums[3];
    int32_t value, weight;
#if defined(WHOLE_LOOPS)
    values += count;
    weights0 += count;
    weights1 += count;
    weights2 += count;
    weights3 += count;
    int32_t k = -count;
    if (k != 0) {
        ALL_1X4;
    }
#else
    const int8_t* const end = values + count;
    while (values != end - (count & 3)) {
        STEP_1X4;
        STEP_1X4;
        STEP_1X4;
        STEP_1X4;
    }
    while (values != end) {
        STEP_1X4;
    }
#endif
    sums[0] = sum0;
    sums[1] = sum1;
    sums[2] = sum2;
    sums[3] = sum3;
}

#endif /* !SPLIT_NN_DSP && !SPLIT_NN_MVE */
