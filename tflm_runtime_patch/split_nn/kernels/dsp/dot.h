/* Dot products of the DSP kernels: of two pixels with two filters, and of one pixel with four. Only for files built
 * with SPLIT_NN_DSP.
 *
 * The loops need all registers. The compiler would widen early to hide latencies, and spill. So the instructions and
 * their order are written in assembler, in blocks small enough for any register allocation. */
#ifndef SPLIT_NN_DSP_DOT_H_
#define SPLIT_NN_DSP_DOT_H_

#include "dsp.h"

/* Four elements widened to int16: `even` holds 0 and 2, `odd` holds 1 and 3. */
typedef struct split_quad {
    uint32_t even;
    uint32_t odd;
} split_quad;

SPLIT_ALWAYS_INLINE split_quad split_next_quad(const int8_t** values) {
    split_quad quad;
    __asm__ volatile(
        "ldr %[even], [%[values]], #4\n\t"
        "sxtb16 %[odd], %[even], ror #8\n\t"
        "sxtb16 %[even], %[even]"
        : [even] "=&r"(quad.even), [odd] "=&r"(quad.odd), [values] "+r"(*values)
        :
        : "memory");
    return quad;
}

/* The last word of a run whose length is no multiple of 4. It overlaps the word before it: only its last `kept`
 * elements are new. The others are set to 0, so they add nothing whatever the filter holds there. */
SPLIT_ALWAYS_INLINE split_quad split_last_quad(const int8_t* end, int32_t kept) {
    const uint32_t word = split_load4(end - 4) & (~UINT32_C(0) << (uint32_t)(32 - 8 * kept));
    const split_quad quad = {split_even(word), split_odd(word)};
    return quad;
}

/* sum += dot product of a quad and the next four weights of the filter. */
SPLIT_ALWAYS_INLINE void split_add_quad(split_quad values, const int8_t** filter, uint32_t* sum) {
    uint32_t even, odd;
    __asm__ volatile(
        "ldr %[even], [%[filter]], #4\n\t"
        "sxtb16 %[odd], %[even], ror #8\n\t"
        "sxtb16 %[even], %[even]\n\t"
        "smlad %[sum], %[values_odd], %[odd], %[sum]\n\t"
        "smlad %[sum], %[values_even], %[even], %[sum]"
        : [even] "=&r"(even), [odd] "=&r"(odd), [filter] "+r"(*filter), [sum] "+r"(*sum)
        : [values_even] "r"(values.even), [values_odd] "r"(values.odd)
        : "memory");
}

/* The same for two quads and two sums. */
SPLIT_ALWAYS_INLINE void split_add_two_quads(split_quad values0, split_quad values1, const int8_t** filter,
                                             uint32_t* sum0, uint32_t* sum1) {
    uint32_t even, odd;
    __asm__ volatile(
        "ldr %[even], [%[filter]], #4\n\t"
        "sxtb16 %[odd], %[even], ror #8\n\t"
        "sxtb16 %[even], %[even]\n\t"
        "smlad %[sum0], %[odd0], %[odd], %[sum0]\n\t"
        "smlad %[sum1], %[odd1], %[odd], %[sum1]\n\t"
        "smlad %[sum0], %[even0], %[even], %[sum0]\n\t"
        "smlad %[sum1], %[even1], %[even], %[sum1]"
        : [even] "=&r"(even), [odd] "=&r"(odd), [filter] "+r"(*filter), [sum0] "+r"(*sum0), [sum1] "+r"(*sum1)
        : [even0] "r"(values0.even), [odd0] "r"(values0.odd), [even1] "r"(values1.even), [odd1] "r"(values1.odd)
        : "memory");
}

/* sums[2 * v + f] += dot product of `count` > 0 elements of values v and of filter f. */
SPLIT_ALWAYS_INLINE void split_dot_2x2(const int8_t* values0, const int8_t* values1, const int8_t* filter0,
                                       const int8_t* filter1, int32_t count, uint32_t sums[4]) {
    const int32_t kept = count & 3;
    if (count < 4) {
        for (int32_t i = 0; i < count; ++i) {
            sums[0] += split_product(filter0[i], values0[i]);
            sums[1] += split_product(filter1[i], values0[i]);
            sums[2] += split_product(filter0[i], values1[i]);
            sums[3] += split_product(filter1[i], values1[i]);
        }
        return;
    }
#define STEP_2X2(quad0, quad1)                                            \
    do {                                                                  \
        const split_quad first = (quad0), second = (quad1);               \
        split_add_two_quads(first, second, &filter0, sums, sums + 2);     \
        split_add_two_quads(first, second, &filter1, sums + 1, sums + 3); \
    } while (0)
    for (const int8_t* const end = values0 + (count & ~15); values0 != end;) {
        STEP_2X2(split_next_quad(&values0), split_next_quad(&values1));
        STEP_2X2(split_next_quad(&values0), split_next_quad(&values1));
        STEP_2X2(split_next_quad(&values0), split_next_quad(&values1));
        STEP_2X2(split_next_quad(&values0), split_next_quad(&values1));
    }
    for (const int8_t* const end = values0 + (count & 12); values0 != end;) {
        STEP_2X2(split_next_quad(&values0), split_next_quad(&values1));
    }
    if (kept != 0) {
        filter0 += kept - 4;
        filter1 += kept - 4;
        STEP_2X2(split_last_quad(values0 + kept, kept), split_last_quad(values1 + kept, kept));
    }
#undef STEP_2X2
}

/* sums[f] += dot product of `count` > 0 values and of filter f. Two of the four filters may be the same one. */
SPLIT_ALWAYS_INLINE void split_dot_1x4(const int8_t* values, const int8_t* filter0, const int8_t* filter1,
                                       const int8_t* filter2, const int8_t* filter3, int32_t count, uint32_t sums[4]) {
    const int32_t kept = count & 3;
    if (count < 4) {
        for (int32_t i = 0; i < count; ++i) {
            sums[0] += split_product(filter0[i], values[i]);
            sums[1] += split_product(filter1[i], values[i]);
            sums[2] += split_product(filter2[i], values[i]);
            sums[3] += split_product(filter3[i], values[i]);
        }
        return;
    }
#define STEP_1X4(quad)                            \
    do {                                          \
        const split_quad next = (quad);           \
        split_add_quad(next, &filter0, sums);     \
        split_add_quad(next, &filter1, sums + 1); \
        split_add_quad(next, &filter2, sums + 2); \
        split_add_quad(next, &filter3, sums + 3); \
    } while (0)
    for (const int8_t* const end = values + (count & ~15); values != end;) {
        STEP_1X4(split_next_quad(&values));
        STEP_1X4(split_next_quad(&values));
        STEP_1X4(split_next_quad(&values));
        STEP_1X4(split_next_quad(&values));
    }
    for (const int8_t* const end = values + (count & 12); values != end;) {
        STEP_1X4(split_next_quad(&values));
    }
    if (kept != 0) {
        filter0 += kept - 4;
        filter1 += kept - 4;
        filter2 += kept - 4;
        filter3 += kept - 4;
        STEP_1X4(split_last_quad(values + kept, kept));
    }
#undef STEP_1X4
}

#endif /* SPLIT_NN_DSP_DOT_H_ */
