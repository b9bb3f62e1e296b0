/* AVERAGE_POOL: one output row. Stack: SPLIT_BLOCK_CHANNELS int32 sums, below 250 bytes in all. */
#include <stddef.h>

#include "../shared_int8.h"
#include "../target.h"

#if !defined(SPLIT_NN_DSP) && !defined(SPLIT_NN_MVE)

void split_nn_average_pool_row(const split_pool* pool, const int8_t* const* rows, const split_pixels* in,
                               int8_t* output, const split_pixels* out) {
    const split_window* window = &pool->window;
    for (int32_t x = 0; x < out->columns; ++x) {
        const split_reach at = split_reach_of(window, x, in->columns);
        int8_t* pixel = output + x * out->stride;
        for (int32_t first = 0; first < out->channels; first += SPLIT_BLOCK_CHANNELS) {
            int32_t sums[SPLIT_BLOCK_CHANNELS] = {0};
            const int32_t left = out->channels - first;
            const int32_t count = left < SPLIT_BLOCK_CHANNELS ? left : SPLIT_BLOCK_CHANNELS;
            int32_t taps = 0; /* at most 32 rows of 65535 columns: sums stay within +-2^28 */
            for (int32_t k = 0; k < window->rows; ++k) {
                for (int32_t t = at.begin; t < at.end && rows[k] != NULL; ++t, ++taps) {
                    const int8_t* read = rows[k] + (at.origin + t * window->dilation) * in->stride + first;
                    for (int32_t i = 0; i < count; ++i) {
                        sums[i] += read[i];
                    }
                }
            }
            taps = taps > 0 ? taps : 1;
            for (int32_t i = 0; i < count; ++i) {
                int32_t nudge = sums[i] > 0 ? taps / 2 : -(taps / 2);
                pixel[first + i] = (int8_t)split_clamp((sums[i] + nudge) / taps, pool->min, pool->max);
            }
        }
    }
}

#endif /* !SPLIT_NN_DSP && !SPLIT_NN_MVE */
