/* QUANTIZE_FLOAT: one output row. Stack: below 100 bytes. */
#include <string.h>

#include "../fixed_point.h"
#include "../kernels.h"
#include "../target.h"

#if !defined(SPLIT_NN_MVE_FLOAT)

/* To the nearest integer, ties away from zero. TFLM's cast is undefined from 2^31 on and for NaN; here a
 * large value saturates, as Arm's conversion does, well above every output range, and NaN becomes 0. */
static int32_t round_half_away(float value) {
    const float limit = 1073741824.0f; /* 2^30: leaves room for the zero point */
    if (value >= limit) {
        return INT32_C(1) << 30;
    }
    if (value <= -limit) {
        return -(INT32_C(1) << 30);
    }
    if (value != value) {
        return 0;
    }
    int32_t whole = (int32_t)value;
    float rest = value - (float)whole; /* exact: |rest| < 1, and 0 from 2^23 on */
    return rest >= 0.5f ? whole + 1 : rest <= -0.5f ? whole - 1 : whole;
}

void split_nn_quantize_float_row(const split_quantize* quantize, const uint8_t* input, const split_pixels* in,
                                 uint8_t* output, const split_pixels* out) {
    for (int32_t x = 0; x < out->columns; ++x) {
        const uint8_t* read = input + x * in->stride;
        uint8_t* pixel = output + x * out->stride;
        for (int32_t c = 0; c < out->channels; ++c) {
            float value;
            memcpy(&value, read + 4 * c, 4);
            int32_t rounded = round_half_away(value / quantize->scale) + quantize->zero_point;
            pixel[c] = (uint8_t)split_clamp(rounded, quantize->min, quantize->max);
        }
    }
}

#endif /* !SPLIT_NN_MVE_FLOAT */
