/* BATCH_MATMUL: four right pixels at a time, or four channels of two of them. Stack: below 120 bytes. */
#include "../shared_int8.h"
#include "../target.h"

#if defined(SPLIT_NN_DSP)

#include "dot.h"

/* Two int16 side by side. */
static inline uint32_t pair_of(int32_t low, int32_t high) {
    return ((uint32_t)low & 0xFFFFu) | ((uint32_t)high << 16);
}

/* sums[f] += dot product of (left elements - zero point) and right pixel f. Two of the four pixels may be the same. */
SPLIT_ALWAYS_INLINE void dot_four(const split_matmul* matmul, const int8_t* left, int32_t depth, const int8_t* right0,
                                  const int8_t* right1, const int8_t* right2, const int8_t* right3, uint32_t sums[4]) {
    const uint32_t less = pair_of(-matmul->left_zero_point, -matmul->left_zero_point);
    const int8_t* const end = left + depth;
    while (end - left >= 4) {
        const uint32_t word = split_load4(left);
        const split_quad quad = {split_add_even(less, word), split_add_odd(less, word)};
        left += 4;
        split_add_quad(quad, &right0, sums);
        split_add_quad(quad, &right1, sums + 1);
        split_add_quad(quad, &right2, sums + 2);
        split_add_quad(quad, &right3, sums + 3);
    }
    for (; left != end; ++left) {
        const int32_t value = *left - matmul->left_zero_point;
        sums[0] += split_product(value, *right0++);
        sums[1] += split_product(value, *right1++);
        sums[2] += split_product(value, *right2++);
        sums[3] += split_product(value, *right3++);
    }
}

void split_nn_matmul_dots(const split_matmul* matmul, const int8_t* left, int32_t depth, const int8_t* const* right,
                          int32_t count, int8_t* output) {
    const split_requantization* to = &matmul->requantization;
    const split_dsp_target target = split_dsp_target_of(to->zero_point, to->min, to->max);
    const split_dsp_scale scale = split_dsp_scale_of(to, 0);
    for (int32_t k = 0; k < count; k += 4) {
        const int32_t last = count - 1;
        uint32_t sums[4] = {matmul->start, matmul->start, matmul->start, matmul->start};
        dot_four(matmul, left, depth, right[k], right[k + 1 < last ? k + 1 : last], right[k + 2 < last ? k + 2 : last],
                 right[k + 3 < last ? k + 3 : last], sums);
        for (int32_t lane = 0; lane < 4 && k + lane < count; ++lane) {
            output[k + lane] = split_dsp_to_int8(sums[lane], scale, &target);
        }
    }
}

/* Adds four channels of two pixels, each pixel multiplied by its factor. */
SPLIT_ALWAYS_INLINE void add_four(uint32_t factors, uint32_t first, uint32_t second, uint32_t* sums) {
    const uint32_t even0 = split_even(first), even1 = split_even(second);
    const uint32_t odd0 = split_odd(first), odd1 = split_odd(second);
    sums[0] = split_add_products(factors, split_lower_halves(even0, even1), sums[0]);
    sums[1] = split_add_products(factors, split_lower_halves(odd0, odd1), sums[1]);
    sums[2] = split_add_products(factors, split_upper_halves(even0, even1), sums[2]);
    sums[3] = split_add_products(factors, split_upper_halves(odd0, odd1), sums[3]);
}

void split_nn_matmul_add(const split_matmul* matmul, const int8_t* left, const int8_t* const* right, int32_t count,
                         uint32_t* sums, int32_t channels) {
    for (int32_t k = 0; k < count; k += 2) {
        const int paired = k + 1 < count;
        const int32_t factor0 = left[k] - matmul->left_zero_point;
        const int32_t factor1 = paired ? left[k + 1] - matmul->left_zero_point : 0;
        const int8_t* first = right[k];
        const int8_t* second = right[paired ? k + 1 : k];
        const uint32_t factors = pair_of(factor0, factor1);
        int32_t c = 0;
        for (; c + 4 <= channels; c += 4) {
            add_four(factors, split_load4(first + c), split_load4(second + c), sums + c);
        }
        for (; c < channels; ++c) {
            sums[c] += split_product(factor0, first[c]) + split_product(factor1, second[c]);
        }
    }
}

void split_nn_matmul_finish(const split_matmul* matmul, const uint32_t* sums, int32_t channels, int8_t* output) {
    const split_requantization* to = &matmul->requantization;
    const split_dsp_target target = split_dsp_target_of(to->zero_point, to->min, to->max);
    const split_dsp_scale scale = split_dsp_scale_of(to, 0);
    for (int32_t c = 0; c < channels; ++c) {
        output[c] = split_dsp_to_int8(sums[c], scale, &target);
    }
}

#endif /* SPLIT_NN_DSP */
