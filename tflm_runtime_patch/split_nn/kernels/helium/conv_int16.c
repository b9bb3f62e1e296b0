/* CONV_INT16 and, with a 1x1 window, FULLY_CONNECTED: one output row on MVE, eight products at once. Stack: below 250
 * bytes. */
#include "../target.h"

#if defined(SPLIT_NN_MVE)

#include "helium.h"
#include "../conv_int16_row.h"

#define VALUES 8 /* in a vector */

static void dots(const int16_t* values, split_filters filters, int32_t count, uint64_t sums[4]) {
    const int8_t* weights0 = filters.weights;
    const int8_t* weights1 = weights0 + filters.filter;
    const int8_t* weights2 = weights1 + filters.filter;
    const int8_t* weights3 = weights2 + filters.filter;
    int64_t sum0 = (int64_t)sums[0], sum1 = (int64_t)sums[1], sum2 = (int64_t)sums[2], sum3 = (int64_t)sums[3];
    for (; count > 0; count -= VALUES) {
        const mve_pred16_t p = vctp16q((uint32_t)count);
        const int16x8_t some = vldrhq_z_s16(values, p);
        sum0 = vmlaldavaq_s16(sum0, some, vldrbq_z_s16(weights0, p));
        sum1 = vmlaldavaq_s16(sum1, some, vldrbq_z_s16(weights1, p));
        sum2 = vmlaldavaq_s16(sum2, some, vldrbq_z_s16(weights2, p));
        sum3 = vmlaldavaq_s16(sum3, some, vldrbq_z_s16(weights3, p));
        values += VALUES;
        weights0 += VALUES;
        weights1 += VALUES;
        weights2 += VALUES;
        weights3 += VALUES;
    }
    sums[0] = (uint64_t)sum0;
    sums[1] = (uint64_t)sum1;
    sums[2] = (uint64_t)sum2;
    sums[3] = (uint64_t)sum3;
}

void split_nn_conv_int16_row(const split_conv_int16* conv, const int16_t* const* rows, const split_pixels* in,
                             int16_t* output, const split_pixels* out) {
    split_conv_int16_row_of(conv, rows, in, output, out, dots);
}

#endif /* SPLIT_NN_MVE */
