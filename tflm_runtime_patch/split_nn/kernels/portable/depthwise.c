/* DEPTHWISE: one output row. Stack: below 380 bytes. */
#include <stddef.h>
#include <string.h>

#include "../target.h"

#if !defined(SPLIT_NN_DSP) && !defined(SPLIT_NN_MVE)

#include "../windows.h"
#include "dots.h"
#include "store.h"

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

/* The window of one pixel. It has the same columns inside the input in each row that is not NULL. */
typedef struct pixel_window {
    const int8_t* const* rows;
    int32_t offset; /* bytes from a row to the first tap inside the input */
    int32_t before; /* taps before it */
    int32_t inside; /* taps inside the input */
    int32_t step;   /* bytes from the value of one tap to that of the next */
} pixel_window;

/* The sums of the biases and of the taps inside the input for `count` channels from `first` on, a multiple of four, each
 * with an input channel of its own. Four sums at a time stay in registers. */
static SPLIT_NOINLINE void sum_inside(uint32_t* sums, const split_conv* conv, const pixel_window* on, int32_t first,
                                      int32_t count, int32_t channels) {
    const int32_t step = on->step, row_weights = conv->window.columns * channels;
    const int8_t* const* const end = on->rows + conv->window.rows;
    const int32_t* bias = conv->bias + first;
    const int8_t* weights = conv->weights + on->before * channels + first;
    for (first += on->offset; count > 0; count -= 4, sums += 4, bias += 4, weights += 4, first += 4) {
        uint32_t sum0 = (uint32_t)bias[0], sum1 = (uint32_t)bias[1];
        uint32_t sum2 = (uint32_t)bias[2], sum3 = (uint32_t)bias[3];
        const int8_t* row_start = weights;
        for (const int8_t* const* row = on->rows; row != end; ++row, row_start += row_weights) {
            const int8_t* value = *row;
            const int8_t* weight = row_start;
            if (value == NULL) {
                continue;
            }
            value += first;
            for (int32_t left = on->inside;;) {
                SPLIT_ADD_PRODUCT(sum0, weight[0], value[0]);
                SPLIT_ADD_PRODUCT(sum1, weight[1], value[1]);
                SPLIT_ADD_PRODUCT(sum2, weight[2], value[2]);
                SPLIT_ADD_PRODUCT(sum3, weight[3], value[3]);
                if (--left == 0) { /* a pointer behind the last tap might lie outside the row */
                    break;
                }
                weight += channels;
                value += step;
            }
        }
        sums[0] = sum0;
        sums[1] = sum1;
        sums[2] = sum2;
        sums[3] = sum3;
    }
}

/* Adds the padding of `taps` taps to the sums of `count` channels. */
SPLIT_ALWAYS_INLINE void add_outside(uint32_t* sums, const int8_t* weights, int32_t count, int32_t channels,
                                     int32_t taps, int32_t padding) {
    for (; taps > 0; --taps, weights += channels) {
        add_padding(sums, count, weights, padding);
    }
}

/* Channels that are computed together. Their sums are most of the stack. */
#define BLOCK_CHANNELS 16

/* Adds what lies outside the input. `weights` are those of the first channel's first tap. */
SPLIT_ALWAYS_INLINE void add_all_outside(uint32_t* sums, const split_conv* conv, const pixel_window* on,
                                         const int8_t* weights, int32_t count, int32_t channels) {
    const int32_t columns = conv->window.columns, end = on->before + on->inside, padding = conv->input_zero_point;
    for (int32_t k = 0; k < conv->window.rows; ++k, weights += columns * channels) {
        if (on->rows[k] == NULL || on->inside == 0) {
            add_outside(sums, weights, count, channels, columns, padding);
        } else {
            add_outside(sums, weights, count, channels, on->before, padding);
            add_outside(sums, weights + end * channels, count, channels, columns - end, padding);
        }
    }
}

/* Writes the first `count` channels of a pixel, a multiple of four, each with an input channel of its own. */
SPLIT_ALWAYS_INLINE void write_channels(const split_conv* conv, const pixel_window* on, int32_t count, int32_t channels,
                                        int8_t* pixel) {
    uint32_t sums[BLOCK_CHANNELS];
    for (int32_t first = 0; first < count; first += BLOCK_CHANNELS) {
        const int32_t left = count - first;
        const int32_t some = left < BLOCK_CHANNELS ? left : BLOCK_CHANNELS;
        if (on->inside > 0) {
            sum_inside(sums, conv, on, first, some, channels);
        } else {
            memcpy(sums, conv->bias + first, (size_t)some * sizeof *sums);
        }
        if (conv->input_zero_point != 0) {
            add_all_outside(sums, conv, on, conv->weights + first, some, channels);
        }
        split_store_channels(&conv->requantization, first, sums, some, pixel + first);
    }
}

/* A window of up to this many taps is copied if several output channels read it. */
#define MAX_COPIED_TAPS 80

#if defined(__thumb__) && !defined(__thumb2__)
#define TOGETHER 4 /* sums that fit the registers */
#else
#define TOGETHER 8

/* Adds the products of `taps` values with the weights of eight channels to their sums, in registers. */
static SPLIT_NOINLINE void add_eight(uint32_t* sums, const int8_t* value, int32_t taps, const int8_t* weights,
                                     int32_t channels) {
    uint32_t sum0 = sums[0], sum1 = sums[1], sum2 = sums[2], sum3 = sums[3];
    uint32_t sum4 = sums[4], sum5 = sums[5], sum6 = sums[6], sum7 = sums[7];
    for (const int8_t* const end = value + taps; value != end; weights += channels) {
        const int32_t tap = *value++;
        SPLIT_ADD_PRODUCT(sum0, weights[0], tap);
        SPLIT_ADD_PRODUCT(sum1, weights[1], tap);
        SPLIT_ADD_PRODUCT(sum2, weights[2], tap);
        SPLIT_ADD_PRODUCT(sum3, weights[3], tap);
        SPLIT_ADD_PRODUCT(sum4, weights[4], tap);
        SPLIT_ADD_PRODUCT(sum5, weights[5], tap);
        SPLIT_ADD_PRODUCT(sum6, weights[6], tap);
        SPLIT_ADD_PRODUCT(sum7, weights[7], tap);
    }
    sums[0] = sum0;
    sums[1] = sum1;
    sums[2] = sum2;
    sums[3] = sum3;
    sums[4] = sum4;
    sums[5] = sum5;
    sums[6] = sum6;
    sums[7] = sum7;
}

#endif

/* The same for four channels. Thumb-1 computes with eight registers only: the compiler would move the sums to and fro. */
static SPLIT_NOINLINE void add_four(uint32_t* sums, const int8_t* value, int32_t taps, const int8_t* weights,
                                    int32_t channels) {
    uint32_t sum0 = sums[0], sum1 = sums[1], sum2 = sums[2], sum3 = sums[3];
    const int8_t* const end = value + taps;
#if defined(SPLIT_THUMB_1)
    int32_t tap, weight, k = -taps; /* counts up to 0 */
    __asm__(
        ".syntax unified\n"
        "1:\tldrsb %[tap], [%[end], %[k]]\n\t"
        "ldrb %[weight], [%[weights]]\n\t"
        "sxtb %[weight], %[weight]\n\t"
        "muls %[weight], %[tap]\n\t"
        "add %[sum0], %[weight]\n\t"
        "ldrsb %[weight], [%[weights], %[one]]\n\t"
        "muls %[weight], %[tap]\n\t"
        "add %[sum1], %[weight]\n\t"
        "ldrsb %[weight], [%[weights], %[two]]\n\t"
        "muls %[weight], %[tap]\n\t"
        "add %[sum2], %[weight]\n\t"
        "ldrb %[weight], [%[weights], #3]\n\t"
        "sxtb %[weight], %[weight]\n\t"
        "muls %[weight], %[tap]\n\t"
        "add %[sum3], %[weight]\n\t"
        "add %[weights], %[channels]\n\t"
        "adds %[k], #1\n\t"
        "bne 1b"
        : [tap] "=&l"(tap), [weight] "=&l"(weight), [k] "+&l"(k), [weights] "+&l"(weights), [sum0] "+&h"(sum0),
          [sum1] "+&h"(sum1), [sum2] "+&h"(sum2), [sum3] "+&h"(sum3)
        : [one] "l"(1), [two] "l"(2), [end] "l"(end), [channels] "r"(channels)
        : "memory", "cc");
#else
    for (; value != end; weights += channels) {
        const int32_t tap = *value++;
        SPLIT_ADD_PRODUCT(sum0, weights[0], tap);
        SPLIT_ADD_PRODUCT(sum1, weights[1], tap);
        SPLIT_ADD_PRODUCT(sum2, weights[2], tap);
        SPLIT_ADD_PRODUCT(sum3, weights[3], tap);
    }
#endif
    sums[0] = sum0;
    sums[1] = sum1;
    sums[2] = sum2;
    sums[3] = sum3;
}

/* Writes pixel x, where a multiple of four output channels read each input channel. */
static SPLIT_NOINLINE void write_multiplied(const split_conv* conv, const int8_t* const* rows, const split_pixels* in,
                                            int32_t x, int32_t channels, int8_t* pixel) {
    int8_t window[MAX_COPIED_TAPS];
    uint32_t sums[TOGETHER];
    const int32_t taps = conv->window.rows * conv->window.columns;
    int32_t first = 0;
    for (int32_t channel = 0; channel < in->channels; ++channel) {
        split_gather_window(conv, rows, in, x, channel, 1, window);
        for (const int32_t end = first + conv->groups; first < end;) {
            const int32_t count = end - first >= TOGETHER ? TOGETHER : 4;
            memcpy(sums, conv->bias + first, (size_t)count * sizeof *sums);
#if TOGETHER == 8
            if (count == 8) {
                add_eight(sums, window, taps, conv->weights + first, channels);
            } else
#endif
            {
                add_four(sums, window, taps, conv->weights + first, channels);
            }
            split_store_channels(&conv->requantization, first, sums, count, pixel + first);
            first += count;
        }
    }
}

/* Writes pixel x whatever its window is. */
static SPLIT_NOINLINE void write_any(const split_conv* conv, const int8_t* const* rows, const split_pixels* in,
                                     int32_t x, int32_t first, const split_pixels* out, int8_t* pixel) {
    const split_window* window = &conv->window;
    const split_reach at = split_reach_of(window, x, in->columns);
    for (; first < out->channels; first += BLOCK_CHANNELS) {
        uint32_t sums[BLOCK_CHANNELS];
        const int32_t left = out->channels - first;
        const int32_t count = left < BLOCK_CHANNELS ? left : BLOCK_CHANNELS;
        memcpy(sums, conv->bias + first, (size_t)count * sizeof *sums);
        const int8_t* weights = conv->weights + first;
        for (int32_t k = 0; k < window->rows; ++k) {
            for (int32_t t = 0; t < window->columns; ++t) {
                const int8_t* tap = weights + (k * window->columns + t) * out->channels;
                if (rows[k] != NULL && at.begin <= t && t < at.end) {
                    const int8_t* read = rows[k] + (at.origin + t * window->dilation) * in->stride;
                    add_tap(sums, count, tap, read, first, conv->groups);
                } else {
                    add_padding(sums, count, tap, conv->input_zero_point);
                }
            }
        }
        split_store_channels(&conv->requantization, first, sums, count, pixel + first);
    }
}

/* Writes as many channels of pixel x as are a multiple of four, each with an input channel of its own. */
static SPLIT_NOINLINE void write_fours(const split_conv* conv, const int8_t* const* rows, const split_pixels* in,
                                       int32_t x, int32_t channels, int8_t* pixel) {
    const split_window* window = &conv->window;
    const split_reach at = split_reach_of(window, x, in->columns);
    const pixel_window on = {rows, (at.origin + at.begin * window->dilation) * in->stride, at.begin, at.end - at.begin,
                             window->dilation * in->stride};
    write_channels(conv, &on, channels & ~3, channels, pixel);
}

void split_nn_depthwise_row(const split_conv* conv, const int8_t* const* rows, const split_pixels* in, int8_t* output,
                            const split_pixels* out) {
    const int32_t channels = out->channels, groups = conv->groups;
    const int multiplied = groups > 1 && groups % 4 == 0 && conv->window.rows * conv->window.columns <= MAX_COPIED_TAPS;
    for (int32_t x = 0; x < out->columns; ++x) {
        int8_t* const pixel = output + x * out->stride;
        if (multiplied) {
            write_multiplied(conv, rows, in, x, channels, pixel);
            continue;
        }
        const int32_t fours = groups == 1 ? channels & ~3 : 0;
        if (fours != 0) {
            write_fours(conv, rows, in, x, channels, pixel);
        }
        if (fours != channels) {
            write_any(conv, rows, in, x, fours, out, pixel);
        }
    }
}

#endif /* !SPLIT_NN_DSP && !SPLIT_NN_MVE */
