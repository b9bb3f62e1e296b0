/* SUM_FEED_INT16, DENSE_FEED_INT16: global pooling, MEAN and FULLY_CONNECTED, fed row by row. Stack: below 120 bytes. */
#include "../shared_int16.h"

void split_nn_sum_int16_row(const int16_t* input, const split_pixels* in, int32_t* sums) {
    for (int32_t x = 0; x < in->columns; ++x) {
        const int16_t* pixel = split_pixel_int16(input, x, in->stride);
        for (int32_t c = 0; c < in->channels; ++c) {
            sums[c] = split_wrapping_add(sums[c], pixel[c]);
        }
    }
}

void split_nn_sum_int16_finish(const split_sum* sum, const int32_t* sums, int32_t channels, int16_t* output) {
    for (int32_t c = 0; c < channels; ++c) {
        output[c] = (int16_t)split_mean(sum, sums[c]);
    }
}

void split_nn_dense_int16_row(const split_dense_int16* dense, const int16_t* input, const split_pixels* in,
                              int32_t* sums, int32_t outputs) {
    for (int32_t o = 0; o < outputs; ++o) {
        const int8_t* weights = dense->weights + o * dense->weights_step;
        uint64_t sum = split_join_halves(sums + 2 * o);
        for (int32_t x = 0; x < in->columns; ++x) {
            const int16_t* pixel = split_pixel_int16(input, x, in->stride);
            sum += split_dot_int16(weights + x * in->channels, pixel, in->channels);
        }
        split_part_halves(sum, sums + 2 * o);
    }
}

void split_nn_dense_int16_finish(const split_dense_int16* dense, const int32_t* sums, int32_t outputs,
                                 int16_t* output) {
    for (int32_t o = 0; o < outputs; ++o) {
        output[o] = split_to_int16(&dense->scaling, o, split_join_halves(sums + 2 * o));
    }
}
