/* RESIZE_BILINEAR: one output row, mixed of two input rows. Stack: below 100 bytes. */
#include "../kernels.h"

#define UNIT 1024

/* Rounds to nearest, ties away from zero. A mean of int8 weighted by 2^20 in all: below 2^27. */
static int8_t rounded(int32_t total) {
    const int32_t half = (int32_t)1 << 19;
    return (int8_t)((total + (total > 0 ? half : -half)) / (2 * half));
}

void split_nn_resize_bilinear_row(uint32_t row_fraction, const uint32_t* column_positions, const int8_t* first,
                                  const int8_t* second, const split_pixels* in, int8_t* output,
                                  const split_pixels* out) {
    const int32_t lower = (int32_t)row_fraction;
    const int32_t upper = UNIT - lower;
    for (int32_t x = 0; x < out->columns; ++x) {
        const int32_t right = (int32_t)(column_positions[x] % UNIT);
        const int32_t left = UNIT - right;
        const int32_t near = (int32_t)(column_positions[x] / UNIT) * in->stride;
        const int32_t far = right > 0 ? near + in->stride : near;
        int8_t* pixel = output + x * out->stride;
        for (int32_t c = 0; c < out->channels; ++c) {
            const int32_t above = first[near + c] * left + first[far + c] * right;
            const int32_t below = second[near + c] * left + second[far + c] * right;
            pixel[c] = rounded(above * upper + below * lower);
        }
    }
}
