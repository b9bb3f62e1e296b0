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
    int32_t left = multiplier - first % multiplier;
    while (count > 0) {
        const int32_t value = pixel[channel];
        const int32_t copies = left < count ? left : count;
        for (int32_t i = 0; i < copies; ++i) {
            sums[i] += split_product(weights[i], value);
        }
        sums += copies;
        weights += copies;
        count -= copies;
        left = multiplier;
        ++channel;
    }
}

static void add_padding(uint32_t* sums, int32_t count, const int8_t* weights, int32_t value) {
    for (int32_t i = 0; i < count && value != 0; ++i) {
        sums[i] += split_product(weights[i], value);
    }
}

/* Sums of four output channels of one input channel. */
typedef struct four {
    uint32_t sum0, sum1, sum2, sum3;
} four;

/* Adds the products of `count` taps. Weights of one tap and of the next are `channels` bytes apart, values `step` bytes. */
static inline four add_taps(four sums, const int8_t* weights, int32_t channels, const int8_t* value, int32_t step,
                            int32_t count) {
    for (; count > 0; --count, weights += channels) {
        const int32_t tap = *value;
        sums.sum0 += split_product(weights[0], tap);
        sums.sum1 += split_product(weights[1], tap);
        sums.sum2 += split_product(weights[2], tap);
        sums.sum3 += split_product(weights[3], tap);
        if (count > 1) { /* a pointer behind the last tap might lie outside the row */
            value += step;
        }
    }
    return sums;
}

/* Writes four output channels, from `first` on, of one input channel. Their sums stay in registers. */
static void write_four(const split_conv* conv, const int8_t* const* rows, const split_pixels* in, split_reach at,
                       int32_t first, const split_pixels* out, int8_t* pixel) {
    const split_window* window = &conv->window;
    const int32_t channels = out->channels, step = window->dilation * in->stride, columns = window->columns;
    const int32_t offset = at.origin * in->stride + at.begin * step + first / conv->groups;
    const int8_t padding = (int8_t)conv->input_zero_point;
    const int8_t* weights = conv->weights + first;
    const int32_t* bias = conv->bias + first;
    four sums = {(uint32_t)bias[0], (uint32_t)bias[1], (uint32_t)bias[2], (uint32_t)bias[3]};
    for (int32_t k = 0; k < window->rows; ++k, weights += columns * channels) {
        const int32_t begin = rows[k] == NULL ? columns : at.begin, end = rows[k] == NULL ? columns : at.end;
        if (padding != 0) {
            sums = add_taps(sums, weights, channels, &padding, 0, begin);
            sums = add_taps(sums, weights + end * channels, channels, &padding, 0, columns - end);
        }
        if (begin < end) {
            sums = add_taps(sums, weights + begin * channels, channels, rows[k] + offset, step, end - begin);
        }
    }
    pixel[first] = split_to_int8(&conv->requantization, first, sums.sum0);
    pixel[first + 1] = split_to_int8(&conv->requantization, first + 1, sums.sum1);
    pixel[first + 2] = split_to_int8(&conv->requantization, first + 2, sums.sum2);
    pixel[first + 3] = split_to_int8(&conv->requantization, first + 3, sums.sum3);
}

void split_nn_depthwise_row(const split_conv* conv, const int8_t* const* rows, const split_pixels* in, int8_t* output,
                            const split_pixels* out) {
    const split_window* window = &conv->window;
    for (int32_t x = 0; x < out->columns; ++x) {
        const int32_t origin = x * window->stride - window->pad;
        int32_t begin, end;
        split_clip_window(window, origin, in->columns, &begin, &end);
        int8_t* pixel = output + x * out->stride;
        const split_reach at = {origin, begin, end};
        int32_t fours = 0;
        for (; conv->groups > 1 && conv->groups % 4 == 0 && fours < out->channels; fours += 4) {
            write_four(conv, rows, in, at, fours, out, pixel);
        }
        for (int32_t first = fours; first < out->channels; first += SPLIT_BLOCK_CHANNELS) {
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
