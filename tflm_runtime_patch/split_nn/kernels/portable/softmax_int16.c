/* SOFTMAX_INT16: one output row, from two interpolated tables. Stack: below 120 bytes. */
#include "../shared_int16.h"

/* The table has an entry every 128 inputs. Between two entries it is interpolated linearly. */
static int32_t interpolate(const int16_t* table, int32_t value) {
    const int32_t index = 256 + (value >> 7);
    const int32_t offset = value & 0x7F;
    const int32_t base = table[index];
    const int16_t slope = (int16_t)(uint16_t)((uint32_t)table[index + 1] - (uint32_t)base);
    return (int16_t)(uint16_t)(uint32_t)(base + ((slope * offset + 64) >> 7));
}

static int32_t to_int16_range(int32_t value) {
    return split_clamp(value, INT16_MIN, INT16_MAX);
}

static void softmax_pixel(const split_softmax_int16* softmax, const int16_t* input, int32_t channels, int16_t* output) {
    int32_t largest = INT16_MIN;
    for (int32_t c = 0; c < channels; ++c) {
        largest = input[c] > largest ? input[c] : largest;
    }
    int32_t sum = 0; /* of Q0.15, in Q16.15; the largest element's own is close to 1 */
    for (int32_t c = 0; c < channels; ++c) {
        const int32_t scaled = split_requantize(input[c] - largest, softmax->multiplier, softmax->shift);
        const int32_t value = interpolate(softmax->exps, to_int16_range(split_wrapping_add(scaled, INT16_MAX)));
        output[c] = (int16_t)value; /* kept here until the sum is known */
        sum += value;
    }
    sum = sum < 2 ? 2 : sum; /* only a hostile table goes below */
    /* sum = (1 + fraction) * 2^exponent; the reciprocal's table is over the fraction, from -32768 to 32767. */
    const int32_t zeros = split_leading_zeros((uint32_t)sum);
    const int64_t mantissa = (((int64_t)sum << (zeros - 1)) + (1 << 13)) >> 14;
    const int32_t fraction = to_int16_range((int32_t)mantissa - ((1 << 15) + (1 << 16)));
    const int32_t reciprocal = interpolate(softmax->reciprocals, fraction);
    const int32_t down = 31 - zeros; /* 1..29 */
    for (int32_t c = 0; c < channels; ++c) {
        const int32_t product = output[c] * reciprocal;
        output[c] =
            (int16_t)split_clamp((int32_t)(((int64_t)product + (INT64_C(1) << (down - 1))) >> down), 0, INT16_MAX);
    }
}

void split_nn_softmax_int16_row(const split_softmax_int16* softmax, const int16_t* input, const split_pixels* in,
                                int16_t* output, const split_pixels* out) {
    for (int32_t x = 0; x < out->columns; ++x) {
        softmax_pixel(softmax, split_pixel_int16(input, x, in->stride), out->channels,
                      split_output_int16(output, x, out->stride));
    }
}
