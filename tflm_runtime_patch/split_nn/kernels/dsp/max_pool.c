/* MAX_POOL: one output row, four channels at a time. Stack: below 150 bytes. */
#include "../shared_int8.h"
#include "../target.h"

#if defined(SPLIT_NN_DSP)

#include "dsp.h"

/* The larger of each of four elements. SSUB8 sets a flag for each difference that is not negative, and SEL selects by
 * it. */
static inline uint32_t larger(uint32_t a, uint32_t b) {
    uint32_t result;
    __asm__("ssub8 %0, %1, %2\n\tsel %0, %1, %2" : "=&r"(result) : "r"(a), "r"(b) : "cc");
    return result;
}
static inline uint32_t smaller(uint32_t a, uint32_t b) {
    uint32_t result;
    __asm__("ssub8 %0, %1, %2\n\tsel %0, %2, %1" : "=&r"(result) : "r"(a), "r"(b) : "cc");
    return result;
}

static inline uint32_t four_channels(const split_dsp_taps* at, int32_t channel, uint32_t maximum) {
    for (int32_t k = 0; k < at->row_count; ++k) {
        if (at->rows[k] == NULL || at->count == 0) {
            continue;
        }
        const int8_t* value = at->rows[k] + at->start + channel;
        maximum = larger(split_load4(value), maximum);
        for (int32_t t = at->count - 1; t > 0; --t) {
            value += at->step;
            maximum = larger(split_load4(value), maximum);
        }
    }
    return maximum;
}

static inline int32_t one_channel(const split_dsp_taps* at, int32_t channel) {
    int32_t maximum = INT8_MIN;
    for (int32_t k = 0; k < at->row_count; ++k) {
        for (int32_t t = 0; t < at->count && at->rows[k] != NULL; ++t) {
            const int32_t value = at->rows[k][at->start + channel + t * at->step];
            maximum = value > maximum ? value : maximum;
        }
    }
    return maximum;
}

void split_nn_max_pool_row(const split_pool* pool, const int8_t* const* rows, const split_pixels* in, int8_t* output,
                           const split_pixels* out) {
    const uint32_t lowest = (uint8_t)pool->min * UINT32_C(0x01010101);
    const uint32_t highest = (uint8_t)pool->max * UINT32_C(0x01010101);
    for (int32_t x = 0; x < out->columns; ++x) {
        const split_dsp_taps at = split_dsp_taps_of(&pool->window, rows, in, x);
        int8_t* pixel = output + x * out->stride;
        int32_t channel = 0;
        for (; channel + 4 <= out->channels; channel += 4) {
            const uint32_t maximum = smaller(four_channels(&at, channel, lowest), highest);
            memcpy(pixel + channel, &maximum, 4);
        }
        for (; channel < out->channels; ++channel) {
            pixel[channel] = (int8_t)split_clamp(one_channel(&at, channel), pool->min, pool->max);
        }
    }
}

#endif /* SPLIT_NN_DSP */
