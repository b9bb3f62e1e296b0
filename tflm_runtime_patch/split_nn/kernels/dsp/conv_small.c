/* CONV with windows of up to 64 elements, FULLY_CONNECTED row by row included: one output row. The windows of two or three
 * pixels are widened to int16 once and then used by all filters. Stack: below 640 bytes. */
#include <stddef.h>

#include "../shared_int8.h"
#include "../target.h"

#if defined(SPLIT_NN_DSP) && defined(__OPTIMIZE__)

#include "conv_small.h"
#include "wide.h"

/* Words of widened windows, and of the copy of one window. */
#define ROOM 96

/* Not inlined, so that the loops of the function have all registers. */
#define NOINLINE __attribute__((noinline))

typedef struct layer {
    const split_conv* conv;
    const int8_t* const* rows;
    const split_pixels* in;
    const split_pixels* out;
    int32_t elements; /* of a window */
    int32_t nudge;    /* of split_dsp_target */
    int32_t narrow;
} layer;

static NOINLINE void store_slowly(const split_requantization* to, int32_t channel, uint32_t sum, int8_t* pixel) {
    pixel[channel] = split_to_int8(to, channel, sum);
}

/* All filters with the widened windows of `lanes` pixels, a constant. `pixel` is the first pixel's output. */
SPLIT_ALWAYS_INLINE void all_filters(const layer* on, int32_t lanes, const uint32_t* wide, int8_t* pixel) {
    const split_requantization* const to = &on->conv->requantization;
    const int32_t* bias = on->conv->bias;
    const int32_t* multipliers = to->multipliers;
    const int8_t* shifts = to->shifts;
    const int8_t* weights = on->conv->weights;
    const int32_t nudge = on->nudge, narrow = on->narrow, step = to->step;
    const int32_t stride = on->out->stride, filters = on->out->channels;
    const split_wide_ends ends = split_wide_ends_of(lanes, wide, on->elements);
    for (int32_t channel = 0; channel < filters; ++channel) {
        const uint32_t start = (uint32_t)*bias++;
        uint32_t sums[3] = {start, start, start};
        weights = split_wide_dots(lanes, wide, ends, weights, sums);
        const int32_t multiplier = *multipliers, shift = *shifts;
        multipliers += step;
        shifts += step;
        if ((narrow | !split_dsp_is_fast(multiplier, shift)) != 0) {
            store_slowly(&on->conv->requantization, channel, sums[0], pixel);
            store_slowly(&on->conv->requantization, channel, sums[1], pixel + stride);
            if (lanes == 3) {
                store_slowly(&on->conv->requantization, channel, sums[2], pixel + 2 * stride);
            }
            continue;
        }
        const split_dsp_fast_scale scale = split_dsp_fast_scale_of(multiplier, shift, nudge);
        int8_t* to8 = pixel + channel;
        to8[0] = (int8_t)split_dsp_to_int8_fast(sums[0], scale);
        to8[stride] = (int8_t)split_dsp_to_int8_fast(sums[1], scale);
        if (lanes == 3) {
            to8[2 * stride] = (int8_t)split_dsp_to_int8_fast(sums[2], scale);
        }
    }
}

static NOINLINE void three_pixels(const layer* on, const uint32_t* wide, int8_t* pixel) {
    all_filters(on, 3, wide, pixel);
}
static NOINLINE void two_pixels(const layer* on, const uint32_t* wide, int8_t* pixel) {
    all_filters(on, 2, wide, pixel);
}

/* Widens the windows of `lanes` pixels from x on. A window of several taps, or outside the input, is copied first. */
static NOINLINE void widen(const layer* on, int32_t lanes, int32_t x, uint32_t* wide) {
    const split_window* const shape = &on->conv->window;
    const int32_t elements = on->elements;
    int8_t* const copied = (int8_t*)(wide + lanes * ((elements + 3) >> 2) * 2);
    for (int32_t lane = 0; lane < lanes; ++lane) {
        const int32_t origin = (x + lane) * shape->stride - shape->pad;
        const int8_t* from = copied;
        if (elements == on->in->channels && on->rows[0] != NULL && origin >= 0 && origin < on->in->columns) {
            from = on->rows[0] + origin * on->in->stride;
        } else {
            split_gather_window(on->conv, on->rows, on->in, x + lane, 0, on->in->channels, copied);
        }
        if (lanes == 3) {
            split_widen(3, from, elements, wide + lane);
        } else {
            split_widen(2, from, elements, wide + lane);
        }
    }
}

void split_dsp_conv_small_row(const split_conv* conv, const int8_t* const* rows, const split_pixels* in, int8_t* output,
                              const split_pixels* out) {
    uint32_t wide[ROOM];
    const split_requantization* const to = &conv->requantization;
    const split_dsp_target target = split_dsp_target_of(to->zero_point, to->min, to->max);
    const int32_t elements = conv->window.rows * conv->window.columns * in->channels;
    const layer on = {conv, rows, in, out, elements, target.nudge, target.narrow};
    for (int32_t x = 0; x < out->columns;) {
        const int32_t left = out->columns - x;
        if (left == 2 || left == 4) { /* so that no single pixel is left */
            widen(&on, 2, x, wide);
            two_pixels(&on, wide, output + x * out->stride);
            x += 2;
        } else {
            widen(&on, 3, x, wide);
            three_pixels(&on, wide, output + x * out->stride);
            x += 3;
        }
    }
}

#endif /* SPLIT_NN_DSP && __OPTIMIZE__ */
