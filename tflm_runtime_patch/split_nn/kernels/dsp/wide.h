/* Windows whose elements are widened to int16 once and then used by all filters. Only for files built with
 * SPLIT_NN_DSP.
 *
 * Four elements of a window are a quad: a word of elements 0 and 2, and a word of elements 1 and 3. The windows of two
 * or three pixels lie side by side, one in each lane, quad by quad:
 *
 *        three lanes    | e0, e2 of pixel 0 | of pixel 1 | of pixel 2 | e1, e3 of pixel 0 | of pixel 1 | of pixel 2 | ...
 *
 * If the number of elements is no multiple of 4, the last quad holds the last four elements, and those that the quad
 * before it holds too are 0. So a filter's last word is the one that ends where the filter ends. */
#ifndef SPLIT_NN_DSP_WIDE_H_
#define SPLIT_NN_DSP_WIDE_H_

#include "dot.h"

/* sums[lane] += products of a quad of three lanes with the next four weights of the filter. */
SPLIT_ALWAYS_INLINE void split_add_quad_of_3(const uint32_t** wide, const int8_t** filter, uint32_t sums[3]) {
    register uint32_t even0 __asm__("r0"); /* LDM loads registers in the order of their numbers */
    register uint32_t even1 __asm__("r1");
    register uint32_t even2 __asm__("r2");
    register uint32_t odd0 __asm__("r3");
    register uint32_t odd1 __asm__("r4");
    register uint32_t odd2 __asm__("r5");
    uint32_t even, odd;
    __asm__ volatile(
        "ldr %[odd], [%[filter]], #4\n\t"
        "ldmia %[wide]!, {%[even0], %[even1], %[even2], %[odd0], %[odd1], %[odd2]}\n\t"
        "sxtb16 %[even], %[odd]\n\t"
        "sxtb16 %[odd], %[odd], ror #8\n\t"
        "smlad %[sum0], %[even0], %[even], %[sum0]\n\t"
        "smlad %[sum1], %[even1], %[even], %[sum1]\n\t"
        "smlad %[sum2], %[even2], %[even], %[sum2]\n\t"
        "smlad %[sum0], %[odd0], %[odd], %[sum0]\n\t"
        "smlad %[sum1], %[odd1], %[odd], %[sum1]\n\t"
        "smlad %[sum2], %[odd2], %[odd], %[sum2]"
        : [wide] "+&r"(*wide), [even0] "=&r"(even0), [even1] "=&r"(even1), [even2] "=&r"(even2), [odd0] "=&r"(odd0),
          [odd1] "=&r"(odd1), [odd2] "=&r"(odd2), [even] "=&r"(even), [odd] "=&r"(odd), [filter] "+&r"(*filter),
          [sum0] "+&r"(sums[0]), [sum1] "+&r"(sums[1]), [sum2] "+&r"(sums[2])
        :
        : "memory");
}

/* The same for two lanes. */
SPLIT_ALWAYS_INLINE void split_add_quad_of_2(const uint32_t** wide, const int8_t** filter, uint32_t sums[3]) {
    register uint32_t even0 __asm__("r0");
    register uint32_t even1 __asm__("r1");
    register uint32_t odd0 __asm__("r2");
    register uint32_t odd1 __asm__("r3");
    uint32_t even, odd;
    __asm__ volatile(
        "ldr %[odd], [%[filter]], #4\n\t"
        "ldmia %[wide]!, {%[even0], %[even1], %[odd0], %[odd1]}\n\t"
        "sxtb16 %[even], %[odd]\n\t"
        "sxtb16 %[odd], %[odd], ror #8\n\t"
        "smlad %[sum0], %[even0], %[even], %[sum0]\n\t"
        "smlad %[sum1], %[even1], %[even], %[sum1]\n\t"
        "smlad %[sum0], %[odd0], %[odd], %[sum0]\n\t"
        "smlad %[sum1], %[odd1], %[odd], %[sum1]"
        : [wide] "+&r"(*wide), [even0] "=&r"(even0), [even1] "=&r"(even1), [odd0] "=&r"(odd0), [odd1] "=&r"(odd1),
          [even] "=&r"(even), [odd] "=&r"(odd), [filter] "+&r"(*filter), [sum0] "+&r"(sums[0]), [sum1] "+&r"(sums[1])
        :
        : "memory");
}

/* `lanes` is a constant: 2 or 3. */
SPLIT_ALWAYS_INLINE void split_add_wide_quad(int32_t lanes, const uint32_t** wide, const int8_t** filter,
                                             uint32_t sums[3]) {
    if (lanes == 3) {
        split_add_quad_of_3(wide, filter, sums);
    } else {
        split_add_quad_of_2(wide, filter, sums);
    }
}

/* Where widened windows end: the sixteens, the quads, and how far the last quad overlaps the one before it, or 0. */
typedef struct split_wide_ends {
    const uint32_t* sixteens;
    const uint32_t* quads;
    int32_t back; /* -3..-1, or 0 if there is no such quad */
} split_wide_ends;

SPLIT_ALWAYS_INLINE split_wide_ends split_wide_ends_of(int32_t lanes, const uint32_t* wide, int32_t elements) {
    const int32_t rest = elements & 3;
    return (split_wide_ends){wide + lanes * ((elements & ~15) >> 1), wide + lanes * ((elements & ~3) >> 1),
                             rest != 0 ? rest - 4 : 0};
}

/* sums[lane] += dot product of the widened elements with the weights of one filter. Returns where the filter ends. */
SPLIT_ALWAYS_INLINE const int8_t* split_wide_dots(int32_t lanes, const uint32_t* wide, split_wide_ends ends,
                                                  const int8_t* weights, uint32_t sums[3]) {
    while (wide != ends.sixteens) {
        split_add_wide_quad(lanes, &wide, &weights, sums);
        split_add_wide_quad(lanes, &wide, &weights, sums);
        split_add_wide_quad(lanes, &wide, &weights, sums);
        split_add_wide_quad(lanes, &wide, &weights, sums);
    }
    while (wide != ends.quads) {
        split_add_wide_quad(lanes, &wide, &weights, sums);
    }
    if (ends.back != 0) {
        weights += ends.back;
        split_add_wide_quad(lanes, &wide, &weights, sums);
    }
    return weights;
}

/* Widens `count` elements, at least 4, into a lane. `to` is the lane's first word. */
SPLIT_ALWAYS_INLINE void split_widen(int32_t lanes, const int8_t* from, int32_t count, uint32_t* to) {
    for (const int8_t* const end = from + (count & ~3); from != end; from += 4, to += 2 * lanes) {
        const uint32_t word = split_load4(from);
        to[0] = split_even(word);
        to[lanes] = split_odd(word);
    }
    if ((count & 3) != 0) {
        const uint32_t word = split_load4(from + (count & 3) - 4) & (~UINT32_C(0) << (uint32_t)(32 - 8 * (count & 3)));
        to[0] = split_even(word);
        to[lanes] = split_odd(word);
    }
}

#endif /* SPLIT_NN_DSP_WIDE_H_ */
