/* CONV_INT16 and, with a 1x1 window, FULLY_CONNECTED: one output row on MVE, eight products at once. Stack: below 370
 * bytes. */
#include "../target.h"

#if defined(SPLIT_NN_MVE)

#include "helium.h"
#include "../conv_int16_row.h"

#define VALUES 8 /* in a vector */

SPLIT_ALWAYS_INLINE void dots(const int16_t* values, const int8_t* weights0, int32_t filter, int32_t count,
                              int32_t sums[4]) {
    const int8_t* weights1 = weights0 + filter;
    const int8_t* weights2 = weights1 + filter;
    const int8_t* weights3 = weights2 + filter;
    int32_t sum0 = sums[0], sum1 = sums[1], sum2 = sums[2], sum3 = sums[3];
    for (const int16_t* const end = values + (count & ~(VALUES - 1)); values != end; values += VALUES) {
        const int16x8_t some = vldrhq_s16(values);
        sum0 = vmladavaq_s16(sum0, some, vldrbq_s16(weights0));
        sum1 = vmladavaq_s16(sum1, some, vldrbq_s16(weights1));
        sum2 = vmladavaq_s16(sum2, some, vldrbq_s16(weights2));
        sum3 = vmladavaq_s16(sum3, some, vldrbq_s16(weights3));
        weights0 += VALUES;
        weights1 += VALUES;
        weights2 += VALUES;
        weights3 += VALUES;
    }
    count &= VALUES - 1;
    if (count != 0) {
        const mve_pred16_t p = vctp16q((uint32_t)count);
        const int16x8_t some = vldrhq_z_s16(values, p);
        sum0 = vmladavaq_s16(sum0, some, vldrbq_z_s16(weights0, p));
        sum1 = vmladavaq_s16(sum1, some, vldrbq_z_s16(weights1, p));
        sum2 = vmladavaq_s16(sum2, some, vldrbq_z_s16(weights2, p));
        sum3 = vmladavaq_s16(sum3, some, vldrbq_z_s16(weights3, p));
    }
    sums[0] = sum0;
    sums[1] = sum1;
    sums[2] = sum2;
    sums[3] = sum3;
}

static SPLIT_NOINLINE void add_stretches(const split_stretches* on, const int8_t* weights, int32_t filter,
                                         int32_t sums[4]) {
    split_add_stretches(on, weights, filter, sums, dots);
}

void split_nn_conv_int16_row(const split_conv_int16* conv, const int16_t* const* rows, const split_pixels* in,
                             int16_t* output, const split_pixels* out) {
    split_conv_int16_row_of(conv, rows, in, output, out, add_stretches);
}

#endif /* SPLIT_NN_MVE */
