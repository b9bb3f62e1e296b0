/* SQUARED_DIFFERENCE: one output row. Stack: below 100 bytes. */
#include "../fixed_point.h"
#include "../kernels.h"

void split_nn_squared_difference_row(const split_add* add, const split_operand* first, const split_operand* second,
                                     int8_t* output, const split_pixels* out) {
    /* |element - zero point| <= 255 and left_shift <= 20: the shifted difference stays below 2^28. */
    const int32_t unit = (int32_t)1 << add->left_shift;
    for (int32_t x = 0; x < out->columns; ++x) {
        const int8_t* data1 = first->data + x * first->pixel_stride;
        const int8_t* data2 = second->data + x * second->pixel_stride;
        int8_t* pixel = output + x * out->stride;
        for (int32_t c = 0; c < out->channels; ++c) {
            int32_t value1 = (data1[c * first->channel_stride] - first->zero_point) * unit;
            int32_t value2 = (data2[c * second->channel_stride] - second->zero_point) * unit;
            value1 = split_requantize(value1, add->multiplier1, add->shift1);
            value2 = split_requantize(value2, add->multiplier2, add->shift2);
            const uint32_t difference = (uint32_t)split_wrapping_sub(value1, value2);
            int32_t square = (int32_t)(difference * difference);
            square = split_requantize(square, add->output_multiplier, add->output_shift);
            pixel[c] = (int8_t)split_clamp(split_wrapping_add(square, add->zero_point), add->min, add->max);
        }
    }
}
