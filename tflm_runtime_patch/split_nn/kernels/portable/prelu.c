/* PRELU: one output row. Stack: below 100 bytes. */
#include "../fixed_point.h"
#include "../kernels.h"

void split_nn_prelu_row(const split_prelu* prelu, const split_operand* first, const split_operand* slope,
                        int8_t* output, const split_pixels* out) {
    for (int32_t x = 0; x < out->columns; ++x) {
        const int8_t* data = first->data + x * first->pixel_stride;
        const int8_t* slopes = slope->data + x * slope->pixel_stride;
        int8_t* pixel = output + x * out->stride;
        for (int32_t c = 0; c < out->channels; ++c) {
            int32_t value = data[c * first->channel_stride] - first->zero_point;
            if (value >= 0) {
                value = split_requantize(value, prelu->multiplier, prelu->shift);
            } else {
                value *= slopes[c * slope->channel_stride] - slope->zero_point;
                value = split_requantize(value, prelu->slope_multiplier, prelu->slope_shift);
            }
            pixel[c] = (int8_t)split_clamp(split_wrapping_add(value, prelu->zero_point), prelu->min, prelu->max);
        }
    }
}
