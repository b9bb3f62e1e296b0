/* POOL_INT16: one output row. Stack: below 100 bytes. */
#include "split_nn_format.h"
#include "split_nn_int16.h"

/* Rounds to nearest, ties away from zero. The window's sum fits: prepare allows 32768 taps. */
static int32_t average(int32_t sum, int32_t count) {
    const int32_t nudge = sum > 0 ? count / 2 : -(count / 2);
    return count > 0 ? (int32_t)(((int64_t)sum + nudge) / count) : 0;
}

void split_nn_pool_int16_row(const split_pool* pool, int32_t mode, const int16_t* const* rows, const split_pixels* in,
                             int16_t* output, const split_pixels* out) {
    const split_window* window = &pool->window;
    for (int32_t x = 0; x < out->columns; ++x) {
        const int32_t origin = x * window->stride - window->pad;
        int32_t begin, end;
        split_clip_window(window, origin, in->columns, &begin, &end);
        int16_t* pixel = split_output_int16(output, x, out->stride);
        for (int32_t c = 0; c < out->channels; ++c) {
            int32_t sum = 0;
            int32_t count = 0;
            int32_t largest = INT16_MIN;
            for (int32_t k = 0; k < window->rows; ++k) {
                for (int32_t t = begin; t < end && rows[k] != NULL; ++t) {
                    const int32_t value = split_pixel_int16(rows[k], origin + t * window->dilation, in->stride)[c];
                    sum = split_wrapping_add(sum, value);
                    largest = value > largest ? value : largest;
                    ++count;
                }
            }
            const int32_t value = mode == SPLIT_POOL_AVERAGE ? average(sum, count) : largest;
            pixel[c] = (int16_t)split_clamp(value, pool->min, pool->max);
        }
    }
}
