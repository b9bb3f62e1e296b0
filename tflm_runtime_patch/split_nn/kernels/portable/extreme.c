/* MINIMUM and MAXIMUM: one output row. Stack: below 60 bytes. */
#include "../kernels.h"

void split_nn_extreme_row(int32_t maximum, const split_operand* first, const split_operand* second, int8_t* output,
                          const split_pixels* out) {
    for (int32_t x = 0; x < out->columns; ++x) {
        const int8_t* data1 = first->data + x * first->pixel_stride;
        const int8_t* data2 = second->data + x * second->pixel_stride;
        int8_t* pixel = output + x * out->stride;
        for (int32_t c = 0; c < out->channels; ++c) {
            const int8_t value1 = data1[c * first->channel_stride];
            const int8_t value2 = data2[c * second->channel_stride];
            pixel[c] = (value1 > value2) == (maximum != 0) ? value1 : value2;
        }
    }
}
