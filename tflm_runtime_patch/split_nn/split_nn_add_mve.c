/* ADD and SUB: one output row on MVE, four elements at a time. Stack: below 250 bytes. */
#include "split_nn_target.h"

#if defined(SPLIT_NN_MVE)

#include "split_nn_mve.h"

/* (element - zero point) * 2^left_shift, requantised. */
SPLIT_MVE_INLINE int32x4_t rescaled(int32x4_t value, int32_t zero_point, int32_t left_shift, int32_t multiplier,
                                    int32_t shift) {
    value = vshlq_r_s32(vsubq_n_s32(value, zero_point), left_shift);
    return split_mve_requantize_n(value, multiplier, shift);
}

void split_nn_add_row(const split_add* shared, const split_operand* first, const split_operand* second,
                      int8_t* output, const split_pixels* out) {
    const split_add add = *shared;
    const split_operand operand1 = *first, operand2 = *second;
    const split_pixels pixels = *out;
    for (int32_t x = 0; x < pixels.columns; ++x) {
        const int8_t* data1 = operand1.data + x * operand1.pixel_stride;
        const int8_t* data2 = operand2.data + x * operand2.pixel_stride;
        int8_t* pixel = output + x * pixels.stride;
        for (int32_t left = pixels.channels; left > 0; left -= SPLIT_MVE_WORDS) {
            const mve_pred16_t p = vctp32q((uint32_t)left);
            const int32x4_t value1 = split_mve_operand4(data1, operand1.channel_stride, p);
            const int32x4_t value2 = split_mve_operand4(data2, operand2.channel_stride, p);
            data1 += SPLIT_MVE_WORDS * operand1.channel_stride;
            data2 += SPLIT_MVE_WORDS * operand2.channel_stride;
            const int32x4_t term1 =
                rescaled(value1, operand1.zero_point, add.left_shift, add.multiplier1, add.shift1);
            const int32x4_t term2 =
                rescaled(value2, operand2.zero_point, add.left_shift, add.multiplier2, add.shift2);
            int32x4_t sum = add.subtract ? vsubq_s32(term1, term2) : vaddq_s32(term1, term2);
            sum = split_mve_requantize_n(sum, add.output_multiplier, add.output_shift);
            vstrbq_p_s32(pixel, split_mve_to_range(sum, add.zero_point, add.min, add.max), p);
            pixel += SPLIT_MVE_WORDS;
        }
    }
}

#endif /* SPLIT_NN_MVE */
