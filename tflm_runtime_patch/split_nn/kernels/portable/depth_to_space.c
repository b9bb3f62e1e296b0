/* DEPTH_TO_SPACE: one output row, some channels of each pixel of one input row. Stack: below 60 bytes. */
#include <stddef.h>
#include <string.h>

#include "../kernels.h"

void split_nn_depth_to_space_row(int32_t block, int32_t part, const int8_t* input, const split_pixels* in,
                                 int8_t* output, const split_pixels* out) {
    const int8_t* parts = input + part * block * out->channels;
    for (int32_t x = 0; x < out->columns; ++x) {
        const int8_t* pixel = parts + x / block * in->stride + x % block * out->channels;
        /* Not memcpy: no accepted program may lead to undefined behaviour, a senseless one may overlap. */
        memmove(output + x * out->stride, pixel, (size_t)out->channels);
    }
}
