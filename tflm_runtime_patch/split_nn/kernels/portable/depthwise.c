/* DEPTHWISE: one output row. Stack: SPLIT_BLOCK_CHANNELS int32 sums, below 250 bytes in all. */
#include <stddef.h>

#include "../shared_int8.h"
#include "../target.h"

#if !defined(SPLIT_NN_DSP) && !defined(SPLIT_NN_MVE)

/* sums[i] += weights[i] * the input channel that output channel first + i reads. */
static void add_tap(uint32_t* sums, int32_t count, const int8_t* weights, const int8_t* pixel, int32_t first,
                    int32_t multiplier) {
    if (multiplier == 1) {
        pixel += first;
        for (int32_t i = 0; i < count; ++i) {
            sums[i] += split_product(weights[i], pixel[i]);
        }
        return;
    }
    int32_t channel = first / multiplier;
    int32_t copy = first % multiplier;
    for (int32_t i = 0; i < count; ++i) {
        sums[i] += split_product(weights[i], pixel[channel]);
        if (++copy == multiplier) {
            copy = 0;
            ++channel;
        }
    }
}

static void add_padding(uint32_t* sums, int32_t count, const int8_t* weights, int32_t value) {
    for (int32_t i = 0; i < count && value != 0; ++i) {
        sums[i] += split_product(weights[i], value);
    }
}

void split_nn_depthwise_row(const split_conv* conv, const int8_t* const* rows, const split_pixels* in, int8_t* output,
                            const split_pixels* out) {
    const split_window* window = &conv->window;
    for (int32_t x = 0; x < out->columns; ++x) {
        const int32_t origin = x * window->stride - window->pad;
        int32_t begin, end;
        split_clip_window(window, origin, in->columns, &begin, &end);
        int8_t* pixel = output + x * out->stride;
        for (int32_t first = 0; first < out->channels; first += SPLIT_BLOCK_CHANNELS) {
            uint32_t sums[SPLIT_BLOCK_CHANNELS];
            const int32_t left = out->channels - first;
            const int32_t count = left < SPLIT_BLOCK_CHANNELS ? left : SPLIT_BLOCK_CHANNELS;
            for (int32_t i = 0; i < count; ++i) {
                sums[i] = (uint32_t)conv->bias[first + i];
            }
            const int8_t* weights = conv->weights + first;
            for (int32_t k = 0; k < window->rows; ++k) {
                for (int32_t t = 0; t < window->columns; ++t) {
                    const int8_t* tap = weights + (k * window->columns + t) * out->channels;
                    if (rows[k] != NULL && begin <= t && t < end) {
                        const int8_t* read = rows[k] + (origin + t * window->dilation) * in->stride;
                        add_tap(sums, count, tap, read, first, conv->groups);
                    } else {
                        add_padding(sums, count, tap, conv->input_zero_point);
                    }
                }
            }
            for (int32_t i = 0; i < count; ++i) {
                pixel[first + i] = split_to_int8(&conv->requantization, first + i, sums[i]);
            }
        }
    }
}

#endif /* !SPLIT_NN_DSP && !SPLIT_NN_MVE */
