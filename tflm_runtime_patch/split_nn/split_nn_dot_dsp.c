/* The dot products of the DSP kernels. Stack: below 100 bytes. */
#include "split_nn_kernels.h"
#include "split_nn_target.h"

#if defined(SPLIT_NN_DSP)

#include "split_nn_dsp.h"

/* Four elements, widened to int16: 0 and 2, 1 and 3. */
typedef struct quad {
    uint32_t even;
    uint32_t odd;
} quad;

static inline quad widen(uint32_t word) {
    const quad wide = {split_even(word), split_odd(word)};
    return wide;
}

/* The loops below need every register there is. Left to itself the compiler widens early, to hide latencies,
 * and spills; so the order of their instructions is stated. */
static inline quad next_quad(const int8_t** values) {
    quad wide;
    __asm__ volatile(
        "ldr %[even], [%[values]], #4\n\t"
        "sxtb16 %[odd], %[even], ror #8\n\t"
        "sxtb16 %[even], %[even]"
        : [even] "=&r"(wide.even), [odd] "=&r"(wide.odd), [values] "+r"(*values)
        :
        : "memory");
    return wide;
}

/* sum += dot product of a quad and the filter's next four weights. */
static inline void add_1x1(quad values, const int8_t** filter, uint32_t* sum) {
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

/* The same with two quads. */
static inline void add_2x1(quad values0, quad values1, const int8_t** filter, uint32_t* sum0, uint32_t* sum1) {
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

/* Of `count` elements the last count % 4 come together with those before them, as the last whole word; those
 * before are cleared in the values, where they count as zero whatever the filters hold. */
static inline quad last_quad(const int8_t* end, int32_t kept) {
    return widen(split_load4(end - 4) & (~UINT32_C(0) << (uint32_t)(32 - 8 * kept)));
}

void split_dsp_dot_2x2(const int8_t* values0, const int8_t* values1, const int8_t* filter0, const int8_t* filter1,
                       int32_t count, uint32_t sums[4]) {
    uint32_t sum00 = sums[0], sum01 = sums[1], sum10 = sums[2], sum11 = sums[3];
    const int32_t kept = count & 3;
    if (count < 4) {
        for (int32_t i = 0; i < count; ++i) {
            const int32_t value0 = values0[i], value1 = values1[i], weight0 = filter0[i], weight1 = filter1[i];
            sum00 += split_product(weight0, value0);
            sum01 += split_product(weight1, value0);
            sum10 += split_product(weight0, value1);
            sum11 += split_product(weight1, value1);
        }
    } else {
        for (const int8_t* const end = values0 + (count & ~15); values0 != end;) {
            for (int32_t word = 0; word < 4; ++word) {
                const quad quad0 = next_quad(&values0), quad1 = next_quad(&values1);
                add_2x1(quad0, quad1, &filter0, &sum00, &sum10);
                add_2x1(quad0, quad1, &filter1, &sum01, &sum11);
            }
        }
        for (const int8_t* const end = values0 + (count & 12); values0 != end;) {
            const quad quad0 = next_quad(&values0), quad1 = next_quad(&values1);
            add_2x1(quad0, quad1, &filter0, &sum00, &sum10);
            add_2x1(quad0, quad1, &filter1, &sum01, &sum11);
        }
        if (kept != 0) {
            const quad quad0 = last_quad(values0 + kept, kept), quad1 = last_quad(values1 + kept, kept);
            filter0 += kept - 4, filter1 += kept - 4;
            add_2x1(quad0, quad1, &filter0, &sum00, &sum10);
            add_2x1(quad0, quad1, &filter1, &sum01, &sum11);
        }
    }
    sums[0] = sum00, sums[1] = sum01, sums[2] = sum10, sums[3] = sum11;
}

void split_dsp_dot_1x4(const int8_t* values, const int8_t* const filters[4], int32_t count, uint32_t sums[4]) {
    const int8_t *filter0 = filters[0], *filter1 = filters[1], *filter2 = filters[2], *filter3 = filters[3];
    uint32_t sum0 = sums[0], sum1 = sums[1], sum2 = sums[2], sum3 = sums[3];
    const int32_t kept = count & 3;
    if (count < 4) {
        for (int32_t i = 0; i < count; ++i) {
            const int32_t value = values[i];
            sum0 += split_product(filter0[i], value);
            sum1 += split_product(filter1[i], value);
            sum2 += split_product(filter2[i], value);
            sum3 += split_product(filter3[i], value);
        }
    } else {
        for (const int8_t* const end = values + (count & ~15); values != end;) {
            for (int32_t word = 0; word < 4; ++word) {
                const quad next = next_quad(&values);
                add_1x1(next, &filter0, &sum0);
                add_1x1(next, &filter1, &sum1);
                add_1x1(next, &filter2, &sum2);
                add_1x1(next, &filter3, &sum3);
            }
        }
        for (const int8_t* const end = values + (count & 12); values != end;) {
            const quad next = next_quad(&values);
            add_1x1(next, &filter0, &sum0);
            add_1x1(next, &filter1, &sum1);
            add_1x1(next, &filter2, &sum2);
            add_1x1(next, &filter3, &sum3);
        }
        if (kept != 0) {
            const quad last = last_quad(values + kept, kept);
            filter0 += kept - 4, filter1 += kept - 4, filter2 += kept - 4, filter3 += kept - 4;
            add_1x1(last, &filter0, &sum0);
            add_1x1(last, &filter1, &sum1);
            add_1x1(last, &filter2, &sum2);
            add_1x1(last, &filter3, &sum3);
        }
    }
    sums[0] = sum0, sums[1] = sum1, sums[2] = sum2, sums[3] = sum3;
}

int32_t split_dsp_requantize_any(int32_t sum, split_dsp_scale scale, int32_t nudge) {
    return split_wrapping_add(split_requantize(sum, scale.multiplier, ~scale.right), nudge >> 1);
}

#endif /* SPLIT_NN_DSP */
