/* MAX_POOL: one output row on MVE, sixteen channels at a time. Stack: below 150 bytes. */
#include <stddef.h>

#include "split_nn_internal.h"
#include "split_nn_target.h"

#if defined(SPLIT_NN_MVE)

#include "split_nn_mve.h"

void split_nn_max_pool_row(const split_pool* pool, const int8_t* const* rows, const split_pixels* in, int8_t* output,
                           const split_pixels* out) {
    const split_window window = pool->window;
    const int8x16_t low = vdupq_n_s8((int8_t)pool->min), high = vdupq_n_s8((int8_t)pool->max);
    const int32_t step = window.dilation * in->stride;
    const int32_t channels = out->channels;
    int32_t origin = -window.pad;
    for (int32_t x = 0; x < out->columns; ++x, origin += window.stride, output += out->stride) {
        int32_t begin, end;
        split_clip_window(&window, origin, in->columns, &begin, &end);
        const int32_t offset = (origin + begin * window.dilation) * in->stride;
        for (int32_t first = 0; first < channels; first += SPLIT_MVE_BYTES) {
            const mve_pred16_t p = vctp8q((uint32_t)(channels - first));
            int8x16_t maxima = vdupq_n_s8(INT8_MIN);
            for (int32_t k = 0; k < window.rows; ++k) {
                if (rows[k] == NULL || begin == end) {
                    continue;
                }
                const int8_t* read = rows[k] + offset + first;
                for (int32_t t = end - begin; t > 0; --t, read += step) {
                    maxima = vmaxq_s8(maxima, vldrbq_z_s8(read, p));
                }
            }
            vstrbq_p_s8(output + first, vminq_s8(vmaxq_s8(maxima, low), high), p);
        }
    }
}

#endif /* SPLIT_NN_MVE */
