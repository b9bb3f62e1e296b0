/* MUL: one output row on MVE, four elements at a time. Stack: below 250 bytes. */
#include "../target.h"

#if defined(SPLIT_NN_MVE)

#include "helium.h"

void split_nn_mul_row(const split_mul* shared, const split_operand* first, const split_operand* second, int8_t* output,
                      const split_pixels* out) {
    const split_mul mul = *shared;
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
            int32x4_t value =
                vmulq_s32(vsubq_n_s32(value1, operand1.zero_point), vsubq_n_s32(value2, operand2.zero_point));
            value = split_mve_requantize_n(value, mul.multiplier, mul.shift);
            vstrbq_p_s32(pixel, split_mve_to_range(value, mul.zero_point, mul.min, mul.max), p);
            pixel += SPLIT_MVE_WORDS;
        }
    }
}

#endif /* SPLIT_NN_MVE */
