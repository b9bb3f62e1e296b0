/* POOL_FLOAT: one output row. Stack: below 100 bytes. */
#include "../shared_float.h"

#define LOWEST_FLOAT (-3.402823466e+38f)

void split_nn_pool_float_row(const split_pool_float* pool, const float* const* rows, const split_pixels* in,
                             float* output, const split_pixels* out) {
    const split_window* window = &pool->window;
    for (int32_t x = 0; x < out->columns; ++x) {
        const split_reach at = split_reach_of(window, x, in->columns);
        float* pixel = split_output_float(output, x, out->stride);
        for (int32_t c = 0; c < out->channels; ++c) {
            float total = 0.0f;
            float count = 0.0f;
            float largest = LOWEST_FLOAT;
            for (int32_t k = 0; k < window->rows; ++k) {
                for (int32_t t = at.begin; t < at.end && rows[k] != NULL; ++t) {
                    const float value = split_pixel_float(rows[k], at.origin + t * window->dilation, in->stride)[c];
                    total += value;
                    count += 1.0f;
                    largest = largest < value ? value : largest;
                }
            }
            const float average = total / (count > 0.0f ? count : 1.0f);
            pixel[c] = split_limit(&pool->limits, pool->mode == SPLIT_POOL_AVERAGE ? average : largest);
        }
    }
}
