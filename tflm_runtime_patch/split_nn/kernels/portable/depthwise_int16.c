/* DEPTHWISE_INT16: one output row. Stack: below 250 bytes. */
#include "../target.h"

#if !defined(SPLIT_NN_DSP) && !defined(SPLIT_NN_MVE)

#include "../depthwise_int16_row.h"

static split_four tap(const int16_t* values, const int8_t* weights, split_four sums) {
    sums.sum0 += weights[0] * values[0];
    sums.sum1 += weights[1] * values[1];
    sums.sum2 += weights[2] * values[2];
    sums.sum3 += weights[3] * values[3];
    return sums;
}

void split_nn_depthwise_int16_row(const split_conv_int16* conv, const int16_t* const* rows, const split_pixels* in,
                                  int16_t* output, const split_pixels* out) {
    split_depthwise_int16_row_of(conv, rows, in, output, out, tap);
}

#endif /* !SPLIT_NN_DSP && !SPLIT_NN_MVE */
