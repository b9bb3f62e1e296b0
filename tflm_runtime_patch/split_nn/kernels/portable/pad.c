/* PAD and copy: one output row. Stack: below 80 bytes. */
#include <stddef.h>
#include <string.h>

#include "../kernels.h"
#include "../target.h"

#if !defined(SPLIT_NN_MVE)

void split_nn_pad_row(const split_pad* pad, const uint8_t* input, const split_pixels* in, uint8_t* output,
                      const split_pixels* out) {
    const size_t pixel_bytes = (size_t)(out->channels * pad->element_bytes);
    const size_t copied_bytes = (size_t)(in->channels * pad->element_bytes);
    const size_t before_bytes = (size_t)(pad->channels * pad->element_bytes);
    for (int32_t x = 0; x < out->columns; ++x) {
        uint8_t* pixel = output + x * out->stride;
        const int32_t column = x - pad->columns;
        if (input == NULL || column < 0 || column >= in->columns) {
            memset(pixel, pad->value, pixel_bytes);
            continue;
        }
        memmove(pixel + before_bytes, input + column * in->stride, copied_bytes); /* a copy may be in place */
        memset(pixel, pad->value, before_bytes);
        memset(pixel + before_bytes + copied_bytes, pad->value, pixel_bytes - before_bytes - copied_bytes);
    }
}

#endif /* !SPLIT_NN_MVE */
