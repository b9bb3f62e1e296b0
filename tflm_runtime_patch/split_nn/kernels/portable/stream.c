/* FETCH, EMIT: one row, copied from where the caller put it or to where the caller takes it. Stack: below 60 bytes. */
#include <stddef.h>
#include <string.h>

#include "../../core/copy.h"
#include "../kernels.h"

/* Copies bytes with the bits of `flip` inverted in each; four at a time if both places are word-aligned. */
static void copy_flipped(uint8_t* to, const uint8_t* from, int32_t bytes, uint8_t flip) {
    const uint32_t mask = flip * UINT32_C(0x01010101);
    const int32_t words = ((uintptr_t)to | (uintptr_t)from) % sizeof(uint32_t) == 0 ? bytes / 4 : 0;
    split_word* word_to = (split_word*)(void*)to;
    const split_word* word_from = (const split_word*)(const void*)from;
    for (int32_t i = 0; i < words; ++i) {
        word_to[i] = word_from[i] ^ mask;
    }
    for (int32_t i = 4 * words; i < bytes; ++i) {
        to[i] = (uint8_t)(from[i] ^ flip);
    }
}

void split_nn_stream_row(const uint8_t* input, uint8_t* output, const split_pixels* in, const split_pixels* out,
                         int32_t element_bytes, uint8_t flip) {
    const int32_t pixel_bytes = in->channels * element_bytes;
    const int dense = in->stride == pixel_bytes && out->stride == pixel_bytes;
    const int32_t runs = dense ? 1 : in->columns;
    const int32_t run_bytes = dense ? in->columns * pixel_bytes : pixel_bytes;
    for (int32_t x = 0; x < runs; ++x) {
        if (flip != 0) {
            copy_flipped(output + x * out->stride, input + x * in->stride, run_bytes, flip);
        } else {
            memmove(output + x * out->stride, input + x * in->stride,
                    (size_t)run_bytes); /* a hostile one may overlap */
        }
    }
}
