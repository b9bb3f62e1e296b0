/* AVERAGE_POOL: one output row on MVE, four channels at a time. Stack: below 250 bytes. */
#include <stddef.h>

#include "../shared_int8.h"
#include "../target.h"

#if defined(SPLIT_NN_MVE)

#include "helium.h"

/* Sums of up to this many int8 can be divided by way of a product (see `average`). */
#define PRODUCT_TAPS 4000

/* sum / taps rounded to nearest, ties away from zero, that is (|sum| + taps / 2) / taps with the sum's sign.
 * With n = |sum| + taps / 2, n / taps is n * ceil(2^31 / taps) / 2^31, rounded down: the factor is less than 1
 * too large, which adds less than 1 / taps as long as n * taps < 2^31. */
SPLIT_ALWAYS_INLINE int32x4_t average(int32x4_t sum, int32_t taps, uint32_t factor) {
    const uint32x4_t nudged = vaddq_n_u32(vreinterpretq_u32_s32(vabsq_s32(sum)), (uint32_t)(taps / 2));
    const uint32x4_t quotient = vmulhq_u32(vshlq_n_u32(nudged, 1), vdupq_n_u32(factor));
    const int32x4_t positive = vreinterpretq_s32_u32(quotient);
    return vnegq_m_s32(positive, positive, vcmpltq_n_s32(sum, 0));
}

/* The same for any number of taps. */
SPLIT_MVE_CASE int32x4_t average_of_many(int32x4_t sum, int32_t taps) {
    int32_t lanes[SPLIT_MVE_WORDS];
    vstrwq_s32(lanes, sum);
    for (int32_t i = 0; i < SPLIT_MVE_WORDS; ++i) {
        lanes[i] = (lanes[i] + (lanes[i] > 0 ? taps / 2 : -(taps / 2))) / taps;
    }
    return vldrwq_s32(lanes);
}

/* One output pixel, for the channels in `p`. The window's first tap lies `offset` bytes into the rows. */
SPLIT_ALWAYS_INLINE int32x4_t sum_of(const int8_t* const* rows, int32_t row_count, int32_t offset, int32_t taps,
                                     int32_t step, mve_pred16_t p) {
    int32x4_t sum = vdupq_n_s32(0);
    for (; row_count > 0 && taps > 0; --row_count, ++rows) {
        if (*rows != NULL) {
            const int8_t* from = *rows + offset;
            for (int32_t t = taps; t > 0; --t, from += step) {
                sum = vaddq_s32(sum, vldrbq_z_s32(from, p));
            }
        }
    }
    return sum;
}

void split_nn_average_pool_row(const split_pool* pool, const int8_t* const* rows, const split_pixels* in,
                               int8_t* output, const split_pixels* out) {
    const split_window window = pool->window;
    const split_pixels input = *in;
    const int32_t channels = out->channels, stride = out->stride;
    const int32x4_t low = vdupq_n_s32(pool->min), high = vdupq_n_s32(pool->max);
    int32_t rows_inside = 0;
    for (int32_t k = 0; k < window.rows; ++k) {
        rows_inside += rows[k] != NULL;
    }
    int32_t origin = -window.pad;
    for (int32_t x = out->columns; x > 0; --x, origin += window.stride, output += stride) {
        const split_taps taps = split_mve_taps(&window, origin, input.columns);
        const int32_t offset = taps.first * input.stride;
        const int32_t inside = rows_inside * taps.count;
        const int32_t divisor = inside > 0 ? inside : 1;
        const uint32_t factor = (UINT32_C(0x80000000) + (uint32_t)divisor - 1u) / (uint32_t)divisor;
        for (int32_t c = 0; c < channels; c += SPLIT_MVE_WORDS) {
            const mve_pred16_t p = vctp32q((uint32_t)(channels - c));
            const int32x4_t sum = sum_of(rows, window.rows, offset + c, taps.count, window.dilation * input.stride, p);
            const int32x4_t value =
                divisor <= PRODUCT_TAPS ? average(sum, divisor, factor) : average_of_many(sum, divisor);
            vstrbq_p_s32(output + c, vminq_s32(vmaxq_s32(value, low), high), p);
        }
    }
}

#endif /* SPLIT_NN_MVE */
