/* MAX_POOL: one output row on MVE, sixteen channels at a time. Stack: below 150 bytes. */
#include <stddef.h>

#include "../shared_int8.h"
#include "../target.h"

#if defined(SPLIT_NN_MVE)

#include "helium.h"

/* One output pixel, for the channels in `p`. The window's first tap lies `offset` bytes into the rows. */
SPLIT_ALWAYS_INLINE int8x16_t maxima_of(const int8_t* const* rows, int32_t row_count, int32_t offset, int32_t taps,
                                        int32_t step, mve_pred16_t p) {
    int8x16_t maxima = vdupq_n_s8(INT8_MIN);
    for (; row_count > 0 && taps > 0; --row_count, ++rows) {
        if (*rows != NULL) {
            const int8_t* from = *rows + offset;
            for (int32_t t = taps; t > 0; --t, from += step) {
                maxima = vmaxq_s8(maxima, vldrbq_z_s8(from, p));
            }
        }
    }
    return maxima;
}

void split_nn_max_pool_row(const split_pool* pool, const int8_t* const* rows, const split_pixels* in, int8_t* output,
                           const split_pixels* out) {
    const split_window window = pool->window;
    const split_pixels input = *in;
    const int32_t channels = out->channels, stride = out->stride;
    const int8x16_t low = vdupq_n_s8((int8_t)pool->min), high = vdupq_n_s8((int8_t)pool->max);
    int32_t origin = -window.pad;
    for (int32_t x = out->columns; x > 0; --x, origin += window.stride, output += stride) {
        const split_taps taps = split_mve_taps(&window, origin, input.columns);
        const int32_t offset = taps.first * input.stride;
        for (int32_t c = 0; c < channels; c += SPLIT_MVE_BYTES) {
            const mve_pred16_t p = vctp8q((uint32_t)(channels - c));
            const int8x16_t maxima =
                maxima_of(rows, window.rows, offset + c, taps.count, window.dilation * input.stride, p);
            vstrbq_p_s8(output + c, vminq_s8(vmaxq_s8(maxima, low), high), p);
        }
    }
}

#endif /* SPLIT_NN_MVE */
