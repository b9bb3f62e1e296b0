/* AVERAGE_POOL: one output row, four channels at a time. Stack: below 150 bytes. */
#include "../shared_int8.h"
#include "../target.h"

#if defined(SPLIT_NN_DSP)

#include "dsp.h"

/* The sum of this many int8 fits an int16. */
#define MAX_SHORT_TAPS 256

static inline int8_t average(const split_pool* pool, int32_t sum, int32_t taps) {
    const int32_t nudge = sum > 0 ? taps / 2 : -(taps / 2);
    return (int8_t)split_clamp((sum + nudge) / taps, pool->min, pool->max);
}

/* At most MAX_SHORT_TAPS taps. */
static inline void four_channels(const split_pool* pool, const split_dsp_taps* at, int32_t channel, int32_t taps,
                                 int8_t* to) {
    uint32_t even = 0, odd = 0;
    for (int32_t k = 0; k < at->row_count; ++k) {
        if (at->rows[k] != NULL) {
            const int8_t* row = at->rows[k] + at->start + channel;
            for (int32_t t = 0; t < at->count; ++t) {
                const uint32_t word = split_load4(row + t * at->step);
                even = split_add_even(even, word);
                odd = split_add_odd(odd, word);
            }
        }
    }
    to[0] = average(pool, (int16_t)even, taps);
    to[1] = average(pool, (int16_t)odd, taps);
    to[2] = average(pool, (int32_t)even >> 16, taps);
    to[3] = average(pool, (int32_t)odd >> 16, taps);
}

/* At most 32 rows of 65535 columns: the sum stays within +-2^28. */
static inline int8_t one_channel(const split_pool* pool, const split_dsp_taps* at, int32_t channel, int32_t taps) {
    int32_t sum = 0;
    for (int32_t k = 0; k < at->row_count; ++k) {
        for (int32_t t = 0; t < at->count && at->rows[k] != NULL; ++t) {
            sum += at->rows[k][at->start + channel + t * at->step];
        }
    }
    return average(pool, sum, taps);
}

void split_nn_average_pool_row(const split_pool* pool, const int8_t* const* rows, const split_pixels* in,
                               int8_t* output, const split_pixels* out) {
    const split_window* window = &pool->window;
    int32_t row_taps = 0;
    for (int32_t k = 0; k < window->rows; ++k) {
        row_taps += rows[k] != NULL ? 1 : 0;
    }
    for (int32_t x = 0; x < out->columns; ++x) {
        const split_dsp_taps at = split_dsp_taps_of(window, rows, in, x);
        int8_t* pixel = output + x * out->stride;
        int32_t channel = 0;
        const int32_t taps = row_taps * at.count > 0 ? row_taps * at.count : 1;
        for (; taps <= MAX_SHORT_TAPS && channel + 4 <= out->channels; channel += 4) {
            four_channels(pool, &at, channel, taps, pixel + channel);
        }
        for (; channel < out->channels; ++channel) {
            pixel[channel] = one_channel(pool, &at, channel, taps);
        }
    }
}

#endif /* SPLIT_NN_DSP */
