/* MAX_POOL: one output row. Stack: SPLIT_BLOCK_CHANNELS bytes of maxima, below 150 bytes in all. */
#include <stddef.h>

#include "../shared_int8.h"
#include "../target.h"

#if !defined(SPLIT_NN_DSP) && !defined(SPLIT_NN_MVE)

void split_nn_max_pool_row(const split_pool* pool, const int8_t* const* rows, const split_pixels* in, int8_t* output,
                           const split_pixels* out) {
    const split_window* window = &pool->window;
    for (int32_t x = 0; x < out->columns; ++x) {
        const split_reach at = split_reach_of(window, x, in->columns);
        int8_t* pixel = output + x * out->stride;
        for (int32_t first = 0; first < out->channels; first += SPLIT_BLOCK_CHANNELS) {
            int8_t maxima[SPLIT_BLOCK_CHANNELS];
            const int32_t left = out->channels - first;
            const int32_t count = left < SPLIT_BLOCK_CHANNELS ? left : SPLIT_BLOCK_CHANNELS;
            for (int32_t i = 0; i < count; ++i) {
                maxima[i] = INT8_MIN;
            }
            for (int32_t k = 0; k < window->rows; ++k) {
                for (int32_t t = at.begin; t < at.end && rows[k] != NULL; ++t) {
                    const int8_t* read = rows[k] + (at.origin + t * window->dilation) * in->stride + first;
                    for (int32_t i = 0; i < count; ++i) {
                        maxima[i] = read[i] > maxima[i] ? read[i] : maxima[i];
                    }
                }
            }
            for (int32_t i = 0; i < count; ++i) {
                pixel[first + i] = (int8_t)split_clamp(maxima[i], pool->min, pool->max);
            }
        }
    }
}

#endif /* !SPLIT_NN_DSP && !SPLIT_NN_MVE */
