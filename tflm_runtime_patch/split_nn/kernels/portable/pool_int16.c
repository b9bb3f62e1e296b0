/* POOL_INT16: one output row. Stack: below 100 bytes. */
#include "../shared_int16.h"

void split_nn_pool_int16_row(const split_pool* pool, int32_t mode, const int16_t* const* rows, const split_pixels* in,
                             int16_t* output, const split_pixels* out) {
    const split_window* window = &pool->window;
    for (int32_t x = 0; x < out->columns; ++x) {
        const split_reach at = split_reach_of(window, x, in->columns);
        int16_t* pixel = split_output_int16(output, x, out->stride);
        for (int32_t c = 0; c < out->channels; ++c) {
            int32_t sum = 0;
            int32_t count = 0;
            int32_t largest = INT16_MIN;
            for (int32_t k = 0; k < window->rows; ++k) {
                for (int32_t t = at.begin; t < at.end && rows[k] != NULL; ++t) {
                    const int32_t value = split_pixel_int16(rows[k], at.origin + t * window->dilation, in->stride)[c];
                    sum = split_wrapping_add(sum, value);
                    largest = value > largest ? value : largest;
                    ++count;
                }
            }
            const int32_t value = mode == SPLIT_POOL_AVERAGE ? split_average(sum, count > 0 ? count : 1) : largest;
            pixel[c] = (int16_t)split_clamp(value, pool->min, pool->max);
        }
    }
}
