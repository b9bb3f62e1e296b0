/* LUT: one output row on MVE, sixteen bytes or four words at a time. Stack: below 80 bytes. */
#include "../target.h"

#if defined(SPLIT_NN_MVE)

#include "helium.h"

static void bytes_of(const uint8_t* table, const uint8_t* read, int32_t channels, uint8_t* pixel) {
    for (int32_t c = 0; c < channels; c += SPLIT_MVE_BYTES) {
        const mve_pred16_t p = vctp8q((uint32_t)(channels - c));
        vstrbq_p_u8(pixel + c, vldrbq_gather_offset_z_u8(table, vldrbq_z_u8(read + c, p), p), p);
    }
}

static void words_of(const uint8_t* table, const uint8_t* read, int32_t channels, uint8_t* pixel) {
    const uint32_t* entries = (const uint32_t*)(const void*)table;
    uint32_t* words = (uint32_t*)(void*)pixel;
    for (int32_t c = 0; c < channels; c += SPLIT_MVE_WORDS) {
        const mve_pred16_t p = vctp32q((uint32_t)(channels - c));
        const uint32x4_t entry = vldrbq_z_u32(read + c, p);
        vstrwq_p_u32(words + c, vldrwq_gather_shifted_offset_z_u32(entries, entry, p), p);
    }
}

void split_nn_lut_row(const uint8_t* table, int32_t element_bytes, const uint8_t* input, const split_pixels* in,
                      uint8_t* output, const split_pixels* out) {
    for (int32_t x = 0; x < out->columns; ++x) {
        const uint8_t* read = input + x * in->stride;
        uint8_t* pixel = output + x * out->stride;
        if (element_bytes == 1) {
            bytes_of(table, read, out->channels, pixel);
        } else {
            words_of(table, read, out->channels, pixel);
        }
    }
}

#endif /* SPLIT_NN_MVE */
