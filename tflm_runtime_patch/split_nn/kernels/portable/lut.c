/* LUT: one output row. Stack: below 80 bytes. */
#include <string.h>

#include "../kernels.h"
#include "../target.h"

#if !defined(SPLIT_NN_MVE)

void split_nn_lut_row(const uint8_t* table, int32_t element_bytes, const uint8_t* input, const split_pixels* in,
                      uint8_t* output, const split_pixels* out) {
    for (int32_t x = 0; x < out->columns; ++x) {
        const uint8_t* read = input + x * in->stride;
        uint8_t* pixel = output + x * out->stride;
        if (element_bytes == 1) {
            for (int32_t c = 0; c < out->channels; ++c) {
                pixel[c] = table[read[c]];
            }
        } else {
            for (int32_t c = 0; c < out->channels; ++c) {
                memcpy(pixel + 4 * c, table + 4 * read[c], 4);
            }
        }
    }
}

#endif /* !SPLIT_NN_MVE */
