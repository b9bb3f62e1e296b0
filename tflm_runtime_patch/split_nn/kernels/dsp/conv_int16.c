/* CONV_INT16 and, with a 1x1 window, FULLY_CONNECTED: one output row. SMLAD adds two products at once. Stack: below 370
 * bytes. */
#include "../target.h"

#if defined(SPLIT_NN_DSP)

#include "dsp.h"
#include "../conv_int16_row.h"

#if defined(__OPTIMIZE__)
/* Four values and four filters. In assembler, because compilers load all words first and run out of registers. */
#define STEP                                                                                                           \
    __asm__(                                                                                                           \
        "ldr %[odd], [%[values]], #4\n\t"                                                                              \
        "ldr %[even], [%[values]], #4\n\t"                                                                             \
        "pkhtb %[word], %[even], %[odd], asr #16\n\t"                                                                  \
        "pkhbt %[even], %[odd], %[even], lsl #16\n\t"                                                                  \
        "mov %[odd], %[word]\n\t" FILTER("[%[weights]]", "sum0") FILTER("[%[weights], %[filter]]", "sum1") FILTER(     \
            "[%[weights], %[filter], lsl #1]", "sum2") FILTER("[%[weights], %[thrice]]", "sum3") "adds %[weights], #4" \
        : [values] "+&r"(values), [weights] "+&r"(weights), [even] "=&r"(even), [odd] "=&r"(odd), [word] "=&r"(word),  \
          [pair] "=&r"(pair), [sum0] "+&r"(sum0), [sum1] "+&r"(sum1), [sum2] "+&r"(sum2), [sum3] "+&r"(sum3)           \
        : [filter] "r"(filter), [thrice] "r"(thrice)                                                                   \
        : "memory", "cc")
#define FILTER(address, sum)                     \
    "ldr %[word], " address                      \
    "\n\t"                                       \
    "sxtb16 %[pair], %[word]\n\t"                \
    "sxtb16 %[word], %[word], ror #8\n\t"        \
    "smlad %[" sum "], %[even], %[pair], %[" sum \
    "]\n\t"                                      \
    "smlad %[" sum "], %[odd], %[word], %[" sum "]\n\t"
#endif

SPLIT_ALWAYS_INLINE void dots(const int16_t* values, const int8_t* weights, int32_t filter, int32_t count,
                              int32_t sums[4]) {
    int32_t sum0 = sums[0], sum1 = sums[1], sum2 = sums[2], sum3 = sums[3];
    const int32_t thrice = 3 * filter;
#if defined(__OPTIMIZE__)
    uint32_t even, odd, word, pair;
    for (const int16_t* const end = values + (count & ~3); values != end;) {
        STEP;
    }
    count &= 3;
#endif
    for (; count > 0; --count, ++weights) {
        const int32_t value = *values++;
        sum0 += weights[0] * value;
        sum1 += weights[filter] * value;
        sum2 += weights[2 * filter] * value;
        sum3 += weights[thrice] * value;
    }
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

#endif /* SPLIT_NN_DSP */
