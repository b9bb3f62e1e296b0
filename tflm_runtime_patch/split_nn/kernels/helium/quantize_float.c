/* QUANTIZE_FLOAT: one output row on MVE with floating point. Stack: below 100 bytes. */
#include "../target.h"

#if defined(SPLIT_NN_MVE_FLOAT)

#include "helium.h"

/* VCVTA rounds to nearest, ties away from zero. It saturates, and turns NaN into 0. Helium cannot divide vectors. */
SPLIT_ALWAYS_INLINE int32x4_t quantized(const float values[SPLIT_MVE_WORDS], const split_quantize* to) {
    const float32x4_t ratio = {values[0] / to->scale, values[1] / to->scale, values[2] / to->scale,
                               values[3] / to->scale};
    const int32x4_t value = vqaddq_n_s32(vcvtaq_s32_f32(ratio), to->zero_point);
    return vminq_s32(vmaxq_s32(value, vdupq_n_s32(to->min)), vdupq_n_s32(to->max));
}

void split_nn_quantize_float_row(const split_quantize* quantize, const uint8_t* input, const split_pixels* in,
                                 uint8_t* output, const split_pixels* out) {
    const split_quantize to = *quantize;
    const int one_run = in->stride == 4 * in->channels && out->stride == out->channels;
    const int32_t pixels = one_run ? 1 : out->columns;
    const int32_t channels = one_run ? out->columns * out->channels : out->channels;
    for (int32_t x = 0; x < pixels; ++x) {
        const float* read = (const float*)(const void*)(input + x * in->stride);
        uint8_t* pixel = output + x * out->stride;
        int32_t c = 0;
        for (; c + SPLIT_MVE_WORDS <= channels; c += SPLIT_MVE_WORDS) {
            vstrbq_u32(pixel + c, vreinterpretq_u32_s32(quantized(read + c, &to)));
        }
        if (c < channels) {
            const mve_pred16_t p = vctp32q((uint32_t)(channels - c));
            float rest[SPLIT_MVE_WORDS];
            vstrwq_f32(rest, vldrwq_z_f32(read + c, p));
            vstrbq_p_u32(pixel + c, vreinterpretq_u32_s32(quantized(rest, &to)), p);
        }
    }
}

#endif /* SPLIT_NN_MVE_FLOAT */
