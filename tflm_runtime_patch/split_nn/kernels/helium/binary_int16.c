/* BINARY_INT16: ADD, SUB and MUL, one output row on MVE, four elements at a time. Stack: below 250 bytes. */
#include "../../generated/split_nn_format.h"
#include "../target.h"

#if defined(SPLIT_NN_MVE)

#include "helium.h"
#include "../shared_int16.h"

SPLIT_ALWAYS_INLINE int32x4_t operand(const int16_t* from, int32_t stride, mve_pred16_t p) {
    return stride == 0 ? vdupq_n_s32(*from) : vldrhq_z_s32(from, p);
}

void split_nn_binary_int16_row(const split_binary_int16* shared, const split_operand_int16* first,
                               const split_operand_int16* second, int16_t* output, const split_pixels* out) {
    const split_binary_int16 binary = *shared;
    const split_operand_int16 operand1 = *first, operand2 = *second;
    const split_pixels pixels = *out;
    for (int32_t x = 0; x < pixels.columns; ++x) {
        const int16_t* data1 = operand1.data + (ptrdiff_t)x * operand1.pixel_stride;
        const int16_t* data2 = operand2.data + (ptrdiff_t)x * operand2.pixel_stride;
        int16_t* pixel = split_output_int16(output, x, pixels.stride);
        for (int32_t left = pixels.channels; left > 0; left -= SPLIT_MVE_WORDS) {
            const mve_pred16_t p = vctp32q((uint32_t)left);
            int32x4_t value1 = operand(data1, operand1.channel_stride, p);
            int32x4_t value2 = operand(data2, operand2.channel_stride, p);
            int32x4_t value;
            data1 += SPLIT_MVE_WORDS * operand1.channel_stride;
            data2 += SPLIT_MVE_WORDS * operand2.channel_stride;
            if (binary.mode == SPLIT_BINARY_MUL) {
                value = vmulq_s32(value1, value2);
            } else {
                value1 = vshlq_r_s32(value1, binary.left_shift);
                value2 = vshlq_r_s32(value2, binary.left_shift);
                value1 = split_mve_requantize_n(value1, binary.multiplier1, binary.shift1);
                value2 = split_mve_requantize_n(value2, binary.multiplier2, binary.shift2);
                value = binary.mode == SPLIT_BINARY_SUB ? vsubq_s32(value1, value2) : vaddq_s32(value1, value2);
            }
            value = split_mve_requantize_n(value, binary.output_multiplier, binary.output_shift);
            vstrhq_p_s32(pixel, split_mve_to_range(value, 0, binary.min, binary.max), p);
            pixel += SPLIT_MVE_WORDS;
        }
    }
}

#endif /* SPLIT_NN_MVE */
