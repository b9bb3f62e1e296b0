/* PIXEL_SUM: MEAN and SUM over the channels of each pixel of one row. Stack: below 80 bytes. */
#include "../fixed_point.h"
#include "../kernels.h"

void split_nn_pixel_sum_row(const split_sum* sum, const int8_t* input, const split_pixels* in, int8_t* output,
                            const split_pixels* out) {
    for (int32_t x = 0; x < out->columns; ++x) {
        const int8_t* pixel = input + x * in->stride;
        int32_t value = 0;
        for (int32_t c = 0; c < in->channels; ++c) {
            value += pixel[c]; /* 2^23 channels at most */
        }
        value = split_requantize(split_wrapping_sub(value, sum->bias), sum->multiplier, sum->shift);
        value = split_wrapping_add(value, sum->zero_point);
        output[x * out->stride] = (int8_t)split_clamp(value, sum->min, sum->max);
    }
}
