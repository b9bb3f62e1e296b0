/* SOFTMAX: one output row, as TFLM's int8 reference computes it in fixed point. Stack: below 120 bytes.
 * A number with b integer bits is an int32 in units of 2^(b - 31). */
#include "../fixed_point.h"
#include "../kernels.h"

/* Integer bits of the sum of exponentials. Up to 4095 exponentials fit. */
#define SUM_INTEGER_BITS 12

/* 1 / (1 + fraction) in Q0.31 for a fraction in [0, 1), in Q0.31 too.
 * With h = (1 + fraction) / 2 in [1/2, 1) this is 1 / (2h); 1/h comes from Newton's x <- x + x(1 - hx), which
 * starts at 48/17 - 32/17 h (the line closest to 1/h on [1/2, 1]) and has converged after three rounds. x
 * < 2.83 has two integer bits; the product of a Q0.31 and a Q2.29 is again Q2.29, that of two Q2.29 is Q4.27.
 */
static int32_t reciprocal_of_one_plus(int32_t fraction) {
    const int32_t one = INT32_C(1) << 29;
    const int32_t half = (int32_t)(((int64_t)fraction + INT32_MAX + 1) / 2);
    int32_t x = split_wrapping_add(INT32_C(1515870810), split_high_mul(half, -INT32_C(1010580540)));
    for (int i = 0; i < 3; ++i) {
        int32_t error = split_wrapping_sub(one, split_high_mul(half, x));
        int32_t change = split_high_mul(x, error); /* Q4.27 to Q2.29, saturating */
        const int32_t limit = (INT32_C(1) << 29) - 1;
        change = change > limit ? INT32_MAX : change < -limit ? INT32_MIN : change * 4;
        x = split_wrapping_add(x, change);
    }
    /* x/2 is x read as Q1.30; from there to Q0.31 is one saturating doubling. */
    const int32_t limit = (INT32_C(1) << 30) - 1;
    return x > limit ? INT32_MAX : x < -limit ? INT32_MIN : x * 2;
}

static void softmax_pixel(const int32_t* exps, int32_t exp_count, const int8_t* input, int32_t channels,
                          int8_t* output) {
    int32_t largest = INT8_MIN;
    for (int32_t c = 0; c < channels; ++c) {
        largest = input[c] > largest ? input[c] : largest;
    }
    uint32_t sum = 0; /* each term is at most 2^19, the largest element's own at least 2^18 */
    for (int32_t c = 0; c < channels; ++c) {
        int32_t below = largest - input[c];
        if (below < exp_count) {
            sum += (uint32_t)split_rounding_shift_right(exps[below], SUM_INTEGER_BITS);
        }
    }
    /* sum = (1 + fraction) * 2^bits_over_unit in units of 1.0; 1 / sum = scale * 2^-bits_over_unit. */
    const int32_t headroom = split_leading_zeros(sum);
    const int32_t bits_over_unit = SUM_INTEGER_BITS - headroom;
    const int32_t scale = reciprocal_of_one_plus((int32_t)((sum << (uint32_t)headroom) - UINT32_C(0x80000000)));
    const int32_t exponent = bits_over_unit + 31 - 8;
    for (int32_t c = 0; c < channels; ++c) {
        /* Negative only where a hostile program lays the output over input that is still to be read. */
        int32_t below = largest - input[c];
        int32_t value = 0;
        /* TFLM stops the program above 31; the quotient is 0 there. */
        if (below >= 0 && below < exp_count && exponent <= 31) {
            value = split_rounding_shift_right(split_high_mul(scale, exps[below]), exponent);
        }
        output[c] = (int8_t)split_clamp(value + INT8_MIN, INT8_MIN, INT8_MAX);
    }
}

void split_nn_softmax_row(const int32_t* exps, int32_t exp_count, const int8_t* input, const split_pixels* in,
                          int8_t* output, const split_pixels* out) {
    for (int32_t x = 0; x < out->columns; ++x) {
        softmax_pixel(exps, exp_count, input + x * in->stride, out->channels, output + x * out->stride);
    }
}
