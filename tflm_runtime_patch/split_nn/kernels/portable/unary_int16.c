/* UNARY_INT16: scales, slopes and number formats, one output row. Stack: below 120 bytes. */
#include <string.h>

#include "../../generated/split_nn_format.h"
#include "../shared_int16.h"

static int32_t requantized(const split_unary_int16* unary, int32_t value) {
    const int32_t difference = split_wrapping_sub(value, unary->input_zero_point);
    const int32_t scaled = difference < 0
                               ? split_requantize(difference, unary->negative_multiplier, unary->negative_shift)
                               : split_requantize(difference, unary->multiplier, unary->shift);
    return split_clamp(split_wrapping_add(scaled, unary->output_zero_point), unary->min, unary->max);
}

/* value / scale rounded to nearest, halves away from zero, and clamped to an int32; NaN becomes the smallest. */
static int32_t quantized(const split_unary_int16* unary, float value) {
    const float steps = value / unary->scale;
    int32_t whole = INT32_MIN;
    if (steps >= 2147483648.0f) {
        whole = INT32_MAX;
    } else if (steps > -2147483648.0f) {
        whole = (int32_t)steps;
        const float rest = steps - (float)whole; /* exact: a float with a fraction is below 2^23 */
        whole += rest >= 0.5f ? 1 : rest <= -0.5f ? -1 : 0;
    }
    const int64_t shifted = (int64_t)whole + unary->output_zero_point;
    return shifted < unary->min ? unary->min : shifted > unary->max ? unary->max : (int32_t)shifted;
}

static void convert(const split_unary_int16* unary, const uint8_t* from, uint8_t* to) {
    int16_t narrow = 0;
    float real = 0.0f;
    if (unary->mode == SPLIT_UNARY_FROM_FLOAT) {
        memcpy(&real, from, sizeof(real));
        narrow = (int16_t)quantized(unary, real);
        memcpy(to, &narrow, sizeof(narrow));
        return;
    }
    if (unary->input_bytes == 1) {
        narrow = (int8_t)*from;
    } else {
        memcpy(&narrow, from, sizeof(narrow));
    }
    if (unary->mode == SPLIT_UNARY_TO_FLOAT) {
        /* One rounding: the difference is exact in a float. */
        real = (float)split_wrapping_sub(narrow, unary->input_zero_point) * unary->scale;
        memcpy(to, &real, sizeof(real));
        return;
    }
    narrow = (int16_t)requantized(unary, narrow);
    if (unary->output_bytes == 1) {
        *to = (uint8_t)narrow;
    } else {
        memcpy(to, &narrow, sizeof(narrow));
    }
}

void split_nn_unary_int16_row(const split_unary_int16* unary, const uint8_t* input, const split_pixels* in,
                              uint8_t* output, const split_pixels* out) {
    for (int32_t x = 0; x < out->columns; ++x) {
        const uint8_t* from = input + (ptrdiff_t)x * in->stride;
        uint8_t* to = output + (ptrdiff_t)x * out->stride;
        for (int32_t c = 0; c < out->channels; ++c) {
            convert(unary, from + c * unary->input_bytes, to + c * unary->output_bytes);
        }
    }
}
