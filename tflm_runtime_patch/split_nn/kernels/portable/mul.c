/* MUL: one output row. Stack: below 100 bytes. */
#include "../fixed_point.h"
#include "../kernels.h"
#include "../target.h"

#if !defined(SPLIT_NN_MVE)

void split_nn_mul_row(const split_mul* mul, const split_operand* first, const split_operand* second, int8_t* output,
                      const split_pixels* out) {
    for (int32_t x = 0; x < out->columns; ++x) {
        const int8_t* data1 = first->data + x * first->pixel_stride;
        const int8_t* data2 = second->data + x * second->pixel_stride;
        int8_t* pixel = output + x * out->stride;
        for (int32_t c = 0; c < out->channels; ++c) {
            int32_t product = (data1[c * first->channel_stride] - first->zero_point) *
                              (data2[c * second->channel_stride] - second->zero_point);
            int32_t value = split_requantize(product, mul->multiplier, mul->shift);
            pixel[c] = (int8_t)split_clamp(split_wrapping_add(value, mul->zero_point), mul->min, mul->max);
        }
    }
}

#endif /* !SPLIT_NN_MVE */
