/* PAD and copy: one output row on MVE. Stack: below 120 bytes. */
#include <stddef.h>

#include "../target.h"

#if defined(SPLIT_NN_MVE)

#include "helium.h"

/* Copies from front to back, so that the output may overlap bytes that have been copied. */
static void copy(uint8_t* to, const uint8_t* from, int32_t bytes) {
    for (; bytes >= SPLIT_MVE_BYTES; bytes -= SPLIT_MVE_BYTES) {
        vstrbq_u8(to, vldrbq_u8(from));
        to += SPLIT_MVE_BYTES;
        from += SPLIT_MVE_BYTES;
    }
    if (bytes > 0) {
        const mve_pred16_t p = vctp8q((uint32_t)bytes);
        vstrbq_p_u8(to, vldrbq_z_u8(from, p), p);
    }
}

static void fill(uint8_t* to, int8_t value, int32_t bytes) {
    for (int32_t done = 0; done < bytes; done += SPLIT_MVE_BYTES) {
        vstrbq_p_u8(to + done, vdupq_n_u8((uint8_t)value), vctp8q((uint32_t)(bytes - done)));
    }
}

void split_nn_pad_row(const split_pad* pad, const uint8_t* input, const split_pixels* in, uint8_t* output,
                      const split_pixels* out) {
    const int32_t pixel_bytes = out->channels * pad->element_bytes;
    const int32_t copied_bytes = in->channels * pad->element_bytes;
    const int32_t before_bytes = pad->channels * pad->element_bytes;
    const int32_t after_bytes = pixel_bytes - before_bytes - copied_bytes;
    const int one_run = copied_bytes == pixel_bytes && in->stride == copied_bytes && out->stride == pixel_bytes;
    const int32_t columns = input != NULL ? in->columns : 0;
    for (int32_t x = 0; x < out->columns;) {
        uint8_t* pixel = output + x * out->stride;
        const int32_t column = x - pad->columns;
        if (column < 0 || column >= columns) {
            fill(pixel, pad->value, pixel_bytes);
            ++x;
        } else if (one_run) {
            copy(pixel, input, columns * pixel_bytes);
            x += columns;
        } else {
            copy(pixel + before_bytes, input + column * in->stride, copied_bytes);
            fill(pixel, pad->value, before_bytes);
            fill(pixel + before_bytes + copied_bytes, pad->value, after_bytes);
            ++x;
        }
    }
}

#endif /* SPLIT_NN_MVE */
