/* CONV_INT16 and, with a 1x1 window, FULLY_CONNECTED: one output row. Stack: below 200 bytes. */
#include "../target.h"

#if !defined(SPLIT_NN_DSP) && !defined(SPLIT_NN_MVE)

#include "../conv_int16_row.h"

static void dots(const int16_t* values, split_filters filters, int32_t count, uint64_t sums[4]) {
    const int8_t* weights0 = filters.weights;
    const int8_t* weights1 = weights0 + filters.filter;
    const int8_t* weights2 = weights1 + filters.filter;
    const int8_t* weights3 = weights2 + filters.filter;
    while (count > 0) {
        const int32_t part = count < SPLIT_INT32_PRODUCTS ? count : SPLIT_INT32_PRODUCTS;
        int32_t sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0;
        for (int32_t i = 0; i < part; ++i) {
            const int32_t value = *values++;
            sum0 += *weights0++ * value;
            sum1 += *weights1++ * value;
            sum2 += *weights2++ * value;
            sum3 += *weights3++ * value;
        }
        sums[0] += (uint64_t)(int64_t)sum0;
        sums[1] += (uint64_t)(int64_t)sum1;
        sums[2] += (uint64_t)(int64_t)sum2;
        sums[3] += (uint64_t)(int64_t)sum3;
        count -= part;
    }
}

void split_nn_conv_int16_row(const split_conv_int16* conv, const int16_t* const* rows, const split_pixels* in,
                             int16_t* output, const split_pixels* out) {
    split_conv_int16_row_of(conv, rows, in, output, out, dots);
}

#endif /* !SPLIT_NN_DSP && !SPLIT_NN_MVE */
