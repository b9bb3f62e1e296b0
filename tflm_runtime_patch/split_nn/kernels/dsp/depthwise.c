/* DEPTHWISE: one output row, four channels at a time. Their weights are widened once and then used for a run of pixels.
 * The run is as long as the overlap rules allow: its pixels are written before the next four channels are read. Stack:
 * below 700 bytes. */
#include "../../split_nn_optimize.h"

#include <stddef.h>

#include "../shared_int8.h"
#include "../target.h"

#if defined(SPLIT_NN_DSP)

#include "dsp.h"

/* With more taps than this, weights are widened at each use. */
#define MAX_WIDE_TAPS 25
/* With a depth multiplier, the window of each input channel is copied if it has no more taps than this. */
#define MAX_COPIED_TAPS 128

/* Not inlined, so that the loops of the function have all registers. */
#define NOINLINE __attribute__((noinline))

/* Widened weights of four channels. A word holds two int16; each tap takes two words:
 *   a pair of taps    four words: both taps of channel 0, of channel 1, of channel 2, of channel 3
 *   an odd last tap   two words: channels 0 and 2, channels 1 and 3 */
typedef uint32_t wide_weights;

/* Four channels of a layer. */
typedef struct group {
    const split_conv* conv;
    const int8_t* const* rows;
    const int8_t* some_row; /* any of them that is not padding, or NULL */
    const split_pixels* in;
    const split_pixels* out;
    int8_t* output;
    split_dsp_target target;
    split_dsp_fast_scale scales[4];
    uint32_t bias[4];  /* once weights are widened, it includes what window rows in the padding add */
    int32_t plain;     /* 1 if the scales of all four are fast and the output range is all of int8 */
    int32_t channel;   /* the first of the four */
    int32_t advance;   /* bytes from the window of one output pixel to that of the next, in an input row */
    int32_t step;      /* bytes from one tap to the next */
    int32_t inner_end; /* the windows of output pixels [inner_begin, inner_end) lie inside the input's columns */
    int32_t inner_begin;
    wide_weights wide[2 * MAX_WIDE_TAPS];
} group;

/* Adds the products of two taps. Each tap is one word of four channels. */
SPLIT_ALWAYS_INLINE const wide_weights* add_pair(uint32_t tap0, uint32_t tap1, const wide_weights* wide,
                                                 uint32_t sums[4]) {
    uint32_t upper, weight0, weight1;
    __asm__ volatile(
        "pkhtb %[upper], %[tap1], %[tap0], asr #16\n\t"
        "pkhbt %[tap0], %[tap0], %[tap1], lsl #16\n\t"
        "ldrd %[weight0], %[weight1], [%[wide]], #8\n\t"
        "sxtb16 %[tap1], %[tap0]\n\t"
        "sxtb16 %[tap0], %[tap0], ror #8\n\t"
        "smlad %[sum0], %[tap1], %[weight0], %[sum0]\n\t"
        "smlad %[sum1], %[tap0], %[weight1], %[sum1]\n\t"
        "ldrd %[weight0], %[weight1], [%[wide]], #8\n\t"
        "sxtb16 %[tap1], %[upper]\n\t"
        "sxtb16 %[upper], %[upper], ror #8\n\t"
        "smlad %[sum2], %[tap1], %[weight0], %[sum2]\n\t"
        "smlad %[sum3], %[upper], %[weight1], %[sum3]"
        : [tap0] "+&r"(tap0), [tap1] "+&r"(tap1), [upper] "=&r"(upper), [weight0] "=&r"(weight0),
          [weight1] "=&r"(weight1), [wide] "+&r"(wide), [sum0] "+&r"(sums[0]), [sum1] "+&r"(sums[1]),
          [sum2] "+&r"(sums[2]), [sum3] "+&r"(sums[3])
        :
        : "memory");
    return wide;
}

/* Adds the products of a single tap. */
SPLIT_ALWAYS_INLINE const wide_weights* add_tap(uint32_t tap, const wide_weights* wide, uint32_t sums[4]) {
    uint32_t odd, weight0, weight1;
    __asm__ volatile(
        "ldrd %[weight0], %[weight1], [%[wide]], #8\n\t"
        "sxtb16 %[odd], %[tap], ror #8\n\t"
        "sxtb16 %[tap], %[tap]\n\t"
        "smlabb %[sum0], %[tap], %[weight0], %[sum0]\n\t"
        "smlabb %[sum1], %[odd], %[weight1], %[sum1]\n\t"
        "smlatt %[sum2], %[tap], %[weight0], %[sum2]\n\t"
        "smlatt %[sum3], %[odd], %[weight1], %[sum3]"
        : [tap] "+&r"(tap), [odd] "=&r"(odd), [weight0] "=&r"(weight0), [weight1] "=&r"(weight1), [wide] "+&r"(wide),
          [sum0] "+&r"(sums[0]), [sum1] "+&r"(sums[1]), [sum2] "+&r"(sums[2]), [sum3] "+&r"(sums[3])
        :
        : "memory");
    return wide;
}

/* Adds the products of a single tap whose weights are not widened. */
SPLIT_ALWAYS_INLINE void add_narrow_tap(uint32_t tap, uint32_t weights, uint32_t sums[4]) {
    uint32_t tap_odd, weights_odd;
    __asm__ volatile(
        "sxtb16 %[tap_odd], %[tap], ror #8\n\t"
        "sxtb16 %[tap], %[tap]\n\t"
        "sxtb16 %[weights_odd], %[weights], ror #8\n\t"
        "sxtb16 %[weights], %[weights]\n\t"
        "smlabb %[sum0], %[tap], %[weights], %[sum0]\n\t"
        "smlabb %[sum1], %[tap_odd], %[weights_odd], %[sum1]\n\t"
        "smlatt %[sum2], %[tap], %[weights], %[sum2]\n\t"
        "smlatt %[sum3], %[tap_odd], %[weights_odd], %[sum3]"
        : [tap] "+&r"(tap), [weights] "+&r"(weights), [tap_odd] "=&r"(tap_odd), [weights_odd] "=&r"(weights_odd),
          [sum0] "+&r"(sums[0]), [sum1] "+&r"(sums[1]), [sum2] "+&r"(sums[2]), [sum3] "+&r"(sums[3]));
}

static NOINLINE void store_any(const group* at, uint32_t sum0, uint32_t sum1, uint32_t sum2, uint32_t sum3,
                               int8_t* to) {
    const uint32_t sums[4] = {sum0, sum1, sum2, sum3};
    split_dsp_store_any(&at->conv->requantization, &at->target, at->channel, sums, 4, to - at->channel);
}

SPLIT_ALWAYS_INLINE void store_four(const group* at, const uint32_t sums[4], int8_t* to) {
    if (at->plain) {
        to[0] = (int8_t)split_dsp_to_int8_fast(sums[0], at->scales[0]);
        to[1] = (int8_t)split_dsp_to_int8_fast(sums[1], at->scales[1]);
        to[2] = (int8_t)split_dsp_to_int8_fast(sums[2], at->scales[2]);
        to[3] = (int8_t)split_dsp_to_int8_fast(sums[3], at->scales[3]);
    } else {
        store_any(at, sums[0], sums[1], sums[2], sums[3], to);
    }
}

/* The offset in an input row at which the window of output pixel x starts. It may lie outside the row. */
SPLIT_ALWAYS_INLINE int32_t start_of(const group* at, int32_t x) {
    return x * at->advance - at->conv->window.pad * at->in->stride + at->channel;
}

SPLIT_ALWAYS_INLINE int8_t* pixel_of(const group* at, int32_t x) {
    return at->output + x * at->out->stride + at->channel;
}

/* A window row. In place of a row in the padding it is any other one: the widened weights there are 0. */
SPLIT_ALWAYS_INLINE const int8_t* row_at(const group* at, int32_t k) {
    return at->rows[k] != NULL ? at->rows[k] : at->some_row;
}

/* Output pixels [begin, end) whose 3x3 windows lie inside the input's columns. */
static NOINLINE void inner_three(const group* at, int32_t begin, int32_t end) {
    const int32_t start = start_of(at, begin), advance = at->advance, step = at->step;
    const int8_t* row0 = row_at(at, 0) + start;
    const int8_t* row1 = row_at(at, 1) + start;
    const int8_t* row2 = row_at(at, 2) + start;
    int8_t* output = pixel_of(at, begin);
    for (int32_t count = end - begin; count > 0; --count, output += at->out->stride) {
        uint32_t sums[4] = {at->bias[0], at->bias[1], at->bias[2], at->bias[3]};
        const wide_weights* wide = at->wide;
        wide = add_pair(split_load4(row0), split_load4(row0 + step), wide, sums);
        wide = add_tap(split_load4(row0 + 2 * step), wide, sums);
        row0 += advance;
        wide = add_pair(split_load4(row1), split_load4(row1 + step), wide, sums);
        wide = add_tap(split_load4(row1 + 2 * step), wide, sums);
        row1 += advance;
        wide = add_pair(split_load4(row2), split_load4(row2 + step), wide, sums);
        (void)add_tap(split_load4(row2 + 2 * step), wide, sums);
        row2 += advance;
        store_four(at, sums, output);
    }
}

/* The same for windows of any size. */
static NOINLINE void inner_any(const group* at, int32_t begin, int32_t end) {
    const int32_t columns = at->conv->window.columns, row_count = at->conv->window.rows, step = at->step;
    int32_t start = start_of(at, begin);
    int8_t* output = pixel_of(at, begin);
    for (int32_t count = end - begin; count > 0; --count, start += at->advance, output += at->out->stride) {
        uint32_t sums[4] = {at->bias[0], at->bias[1], at->bias[2], at->bias[3]};
        const wide_weights* wide = at->wide;
        for (int32_t k = 0; k < row_count; ++k) {
            const int8_t* tap = row_at(at, k) + start;
            for (int32_t pairs = columns >> 1; pairs > 0; --pairs, tap += 2 * step) {
                wide = add_pair(split_load4(tap), split_load4(tap + step), wide, sums);
            }
            if (columns & 1) {
                wide = add_tap(split_load4(tap), wide, sums);
            }
        }
        store_four(at, sums, output);
    }
}

/* One output pixel whose window has three columns. Constants say which of them lie inside the input. */
SPLIT_ALWAYS_INLINE void some_of_three(const group* at, int in0, int in1, int in2, int32_t x) {
    const int32_t start = start_of(at, x), step = at->step, rows = at->conv->window.rows;
    const uint32_t padding = (uint8_t)at->conv->input_zero_point * UINT32_C(0x01010101);
    const wide_weights* wide = at->wide;
    uint32_t sums[4] = {at->bias[0], at->bias[1], at->bias[2], at->bias[3]};
    for (int32_t k = 0; k < rows; ++k) {
        const int8_t* tap = row_at(at, k) + start;
        wide = add_pair(in0 ? split_load4(tap) : padding, in1 ? split_load4(tap + step) : padding, wide, sums);
        wide = add_tap(in2 ? split_load4(tap + 2 * step) : padding, wide, sums);
    }
    store_four(at, sums, pixel_of(at, x));
}

static NOINLINE void left_of_three(const group* at, int32_t x) {
    some_of_three(at, 0, 1, 1, x);
}
static NOINLINE void right_of_three(const group* at, int32_t x) {
    some_of_three(at, 1, 1, 0, x);
}
static NOINLINE void any_of_three(const group* at, int32_t begin, int32_t end, int32_t x) {
    some_of_three(at, begin == 0 && end > 0, begin <= 1 && end > 1, end > 2 && begin < end, x);
}

/* One output pixel whose window has three columns, some of them outside the input. */
static void outer_three(const group* at, int32_t x) {
    int32_t begin, end;
    split_clip_window(&at->conv->window, x * at->conv->window.stride - at->conv->window.pad, at->in->columns, &begin,
                      &end);
    if (begin == 1 && end == 3) {
        left_of_three(at, x);
    } else if (begin == 0 && end == 2) {
        right_of_three(at, x);
    } else {
        any_of_three(at, begin, end, x);
    }
}

/* One output pixel, from the original weights and bias. */
SPLIT_ALWAYS_INLINE void narrow_pixel(const group* at, int32_t columns, int32_t x) {
    const split_window* window = &at->conv->window;
    const uint32_t padding = (uint8_t)at->conv->input_zero_point * UINT32_C(0x01010101);
    const int32_t start = start_of(at, x), step = at->step, channels = at->out->channels;
    const int8_t* weights = at->conv->weights + at->channel;
    const int32_t* bias = at->conv->bias + at->channel;
    uint32_t sums[4] = {(uint32_t)bias[0], (uint32_t)bias[1], (uint32_t)bias[2], (uint32_t)bias[3]};
    int32_t begin, end;
    split_clip_window(window, x * window->stride - window->pad, at->in->columns, &begin, &end);
    for (int32_t k = 0; k < window->rows; ++k) {
        const int8_t* const row = at->rows[k];
        const uint32_t inside = row != NULL ? (uint32_t)(end - begin) : 0;
        for (int32_t t = 0; t < columns; ++t, weights += channels) {
            const uint32_t tap = (uint32_t)(t - begin) < inside ? split_load4(row + (start + t * step)) : padding;
            add_narrow_tap(tap, split_load4(weights), sums);
        }
    }
    split_dsp_store_four(&at->conv->requantization, &at->target, at->channel, sums, at->output + x * at->out->stride);
}

static NOINLINE void narrow_column(const group* at, int32_t x) {
    narrow_pixel(at, 1, x);
}
static NOINLINE void narrow_any(const group* at, int32_t x) {
    narrow_pixel(at, at->conv->window.columns, x);
}

SPLIT_ALWAYS_INLINE wide_weights* widen_row(const group* at, int32_t columns, const int8_t* weights,
                                            wide_weights* wide) {
    const int32_t channels = at->out->channels;
    for (; columns >= 2; columns -= 2, wide += 4, weights += 2 * channels) {
        const uint32_t tap0 = split_load4(weights), tap1 = split_load4(weights + channels);
        const uint32_t lower = split_lower_halves(tap0, tap1), upper = split_upper_halves(tap0, tap1);
        wide[0] = split_even(lower);
        wide[1] = split_odd(lower);
        wide[2] = split_even(upper);
        wide[3] = split_odd(upper);
    }
    if (columns != 0) {
        const uint32_t tap = split_load4(weights);
        wide[0] = split_even(tap);
        wide[1] = split_odd(tap);
        wide += 2;
    }
    return wide;
}

/* A window row in the padding. What its taps add goes to the bias. Their widened weights are set to 0, so it does not
 * matter what is read in their place. */
static wide_weights* fold_row(group* at, const int8_t* weights, wide_weights* wide) {
    const int32_t padding = at->conv->input_zero_point;
    for (int32_t t = 0; t < at->conv->window.columns; ++t, weights += at->out->channels, wide += 2) {
        at->bias[0] += split_product(weights[0], padding);
        at->bias[1] += split_product(weights[1], padding);
        at->bias[2] += split_product(weights[2], padding);
        at->bias[3] += split_product(weights[3], padding);
        wide[0] = 0;
        wide[1] = 0;
    }
    return wide;
}

SPLIT_ALWAYS_INLINE void widen_window(group* at, int32_t columns) {
    const split_conv* conv = at->conv;
    const int32_t row_bytes = columns * at->out->channels, rows = conv->window.rows;
    const int8_t* weights = conv->weights + at->channel;
    wide_weights* wide = at->wide;
    memcpy(at->bias, conv->bias + at->channel, sizeof at->bias);
    for (int32_t k = 0; k < rows; ++k, weights += row_bytes) {
        wide = at->rows[k] != NULL ? widen_row(at, columns, weights, wide) : fold_row(at, weights, wide);
    }
}

static NOINLINE void widen_three(group* at) {
    widen_window(at, 3);
}
static NOINLINE void widen_any(group* at) {
    widen_window(at, at->conv->window.columns);
}

static void select_channels(group* at, int32_t channel) {
    const split_requantization* to = &at->conv->requantization;
    const int32_t step = to->step, nudge = at->target.nudge;
    const int32_t* const multipliers = to->multipliers + channel * step;
    const int8_t* const shifts = to->shifts + channel * step;
    const int32_t multiplier0 = multipliers[0], multiplier1 = multipliers[step];
    const int32_t multiplier2 = multipliers[2 * step], multiplier3 = multipliers[3 * step];
    const int32_t shift0 = shifts[0], shift1 = shifts[step], shift2 = shifts[2 * step], shift3 = shifts[3 * step];
    at->channel = channel;
    at->plain = split_dsp_is_fast(multiplier0 & multiplier1 & multiplier2 & multiplier3, shift0) &&
                split_dsp_is_fast_shift(shift1) && split_dsp_is_fast_shift(shift2) && split_dsp_is_fast_shift(shift3) &&
                !at->target.narrow;
    if (at->plain) {
        at->scales[0] = split_dsp_fast_scale_of(multiplier0, shift0, nudge);
        at->scales[1] = split_dsp_fast_scale_of(multiplier1, shift1, nudge);
        at->scales[2] = split_dsp_fast_scale_of(multiplier2, shift2, nudge);
        at->scales[3] = split_dsp_fast_scale_of(multiplier3, shift3, nudge);
    }
}

/* Output pixels [first, last) of four channels, with widened weights. */
static void four_channels(group* at, int32_t first, int32_t last) {
    const split_window* window = &at->conv->window;
    const int32_t begin = split_clamp(at->inner_begin, first, last);
    const int32_t end = split_clamp(at->inner_end, begin, last);
    if (window->columns == 3) {
        widen_three(at);
    } else {
        widen_any(at);
    }
    for (int32_t x = first; x < last; ++x) {
        if (x == begin && begin < end) {
            if (window->columns == 3 && window->rows == 3) {
                inner_three(at, begin, end);
            } else {
                inner_any(at, begin, end);
            }
            x = end - 1;
        } else if (window->columns == 3) {
            outer_three(at, x);
        } else {
            narrow_any(at, x);
        }
    }
}

/* Adds the products of four taps of one input channel with their weights for four output channels. Weights of one tap
 * and of the next are `step` bytes apart. */
SPLIT_ALWAYS_INLINE const int8_t* add_four_taps(uint32_t taps, const int8_t* weights, int32_t step, uint32_t sums[4]) {
    const uint32_t even = split_even(taps), odd = split_odd(taps);
    uint32_t first, upper, second;
    __asm__ volatile(
        "ldr %[first], [%[weights]]\n\t"
        "ldr %[second], [%[weights], %[step], lsl #1]\n\t"
        "add %[weights], %[step]\n\t"
        "pkhtb %[upper], %[second], %[first], asr #16\n\t"
        "pkhbt %[first], %[first], %[second], lsl #16\n\t"
        "sxtb16 %[second], %[first]\n\t"
        "sxtb16 %[first], %[first], ror #8\n\t"
        "smlad %[sum0], %[even], %[second], %[sum0]\n\t"
        "smlad %[sum1], %[even], %[first], %[sum1]\n\t"
        "sxtb16 %[second], %[upper]\n\t"
        "sxtb16 %[upper], %[upper], ror #8\n\t"
        "smlad %[sum2], %[even], %[second], %[sum2]\n\t"
        "smlad %[sum3], %[even], %[upper], %[sum3]\n\t"
        "ldr %[first], [%[weights]]\n\t"
        "ldr %[second], [%[weights], %[step], lsl #1]\n\t"
        "add %[weights], %[step]\n\t"
        "pkhtb %[upper], %[second], %[first], asr #16\n\t"
        "pkhbt %[first], %[first], %[second], lsl #16\n\t"
        "sxtb16 %[second], %[first]\n\t"
        "sxtb16 %[first], %[first], ror #8\n\t"
        "smlad %[sum0], %[odd], %[second], %[sum0]\n\t"
        "smlad %[sum1], %[odd], %[first], %[sum1]\n\t"
        "sxtb16 %[second], %[upper]\n\t"
        "sxtb16 %[upper], %[upper], ror #8\n\t"
        "smlad %[sum2], %[odd], %[second], %[sum2]\n\t"
        "smlad %[sum3], %[odd], %[upper], %[sum3]\n\t"
        : [first] "=&r"(first), [second] "=&r"(second), [upper] "=&r"(upper), [weights] "+&r"(weights),
          [sum0] "+&r"(sums[0]), [sum1] "+&r"(sums[1]), [sum2] "+&r"(sums[2]), [sum3] "+&r"(sums[3])
        : [even] "r"(even), [odd] "r"(odd), [step] "r"(step)
        : "memory");
    return weights + 2 * step;
}

/* Adds the products of a single tap. */
SPLIT_ALWAYS_INLINE void add_one_tap(int32_t tap, const int8_t* weights, uint32_t sums[4]) {
    const uint32_t word = split_load4(weights);
    const uint32_t even = split_even(word), odd = split_odd(word);
    sums[0] += split_product((int16_t)even, tap);
    sums[1] += split_product((int16_t)odd, tap);
    sums[2] += split_product((int32_t)even >> 16, tap);
    sums[3] += split_product((int32_t)odd >> 16, tap);
}

/* One output pixel if there are `multiplier` output channels per input channel, a multiple of four. The window is
 * copied channel by channel. */
static NOINLINE void multiplied_pixel(group* at, int32_t multiplier, int32_t x) {
    const split_conv* conv = at->conv;
    const int32_t tap_count = conv->window.rows * conv->window.columns;
    const int32_t channels = at->out->channels;
    int8_t* const taps = (int8_t*)at->wide;
    const int8_t *const last = taps + tap_count, *const fours = taps + (tap_count & ~3);
    int32_t channel = 0;
    for (int32_t input = 0; channel < channels; ++input) {
        split_gather_window(conv, at->rows, at->in, x, input, 1, taps);
        for (const int32_t end = channel + multiplier; channel < end; channel += 4) {
            const int8_t* weights = conv->weights + channel;
            const int32_t* bias = conv->bias + channel;
            uint32_t sums[4] = {(uint32_t)bias[0], (uint32_t)bias[1], (uint32_t)bias[2], (uint32_t)bias[3]};
            const int8_t* tap = taps;
            while (tap != fours) {
                weights = add_four_taps(split_load4(tap), weights, channels, sums);
                tap += 4;
            }
            for (; tap != last; ++tap, weights += channels) {
                add_one_tap(*tap, weights, sums);
            }
            split_dsp_store_four(&conv->requantization, &at->target, channel, sums, at->output + x * at->out->stride);
        }
    }
}

/* One channel of one output pixel, with any window. */
static NOINLINE void one_channel(const group* at, int32_t x, int32_t channel) {
    const split_conv* conv = at->conv;
    const split_window* window = &conv->window;
    const int8_t* weight = conv->weights + channel;
    uint32_t sum = (uint32_t)conv->bias[channel];
    for (int32_t k = 0; k < window->rows; ++k) {
        int32_t column = x * window->stride - window->pad;
        for (int32_t t = 0; t < window->columns; ++t, column += window->dilation, weight += at->out->channels) {
            const int inside = at->rows[k] != NULL && column >= 0 && column < at->in->columns;
            const int32_t value =
                inside ? at->rows[k][column * at->in->stride + channel / conv->groups] : conv->input_zero_point;
            sum += split_product(*weight, value);
        }
    }
    at->output[x * at->out->stride + channel] =
        split_dsp_to_int8(sum, split_dsp_scale_of(&conv->requantization, channel), &at->target);
}

/* The whole row, in runs of at most `together` pixels. The runs are as few as possible, since each widens the weights
 * again, and about equally long. */
static NOINLINE void wide_runs(group* at, int32_t together) {
    const int32_t columns = at->out->columns, channels = at->out->channels;
    const int32_t run_count = (columns + together - 1) / together;
    const int32_t run = (columns + run_count - 1) / run_count;
    for (int32_t begin = 0; begin < columns; begin += run) {
        const int32_t end = begin + run < columns ? begin + run : columns;
        int32_t channel = 0;
        for (; channel + 4 <= channels; channel += 4) {
            select_channels(at, channel);
            four_channels(at, begin, end);
        }
        for (; channel < channels; ++channel) {
            for (int32_t x = begin; x < end; ++x) {
                one_channel(at, x, channel);
            }
        }
    }
}

void split_nn_depthwise_row(const split_conv* conv, const int8_t* const* rows, const split_pixels* in, int8_t* output,
                            const split_pixels* out) {
    const split_requantization* to = &conv->requantization;
    const split_window* window = &conv->window;
    const int32_t taps = window->rows * window->columns;
    const int32_t last_origin = in->columns - (window->columns - 1) * window->dilation - 1;
    group at;
    at.conv = conv;
    at.rows = rows;
    at.in = in;
    at.out = out;
    at.output = output;
    at.target = split_dsp_target_of(to->zero_point, to->min, to->max);
    at.advance = window->stride * in->stride;
    at.step = window->dilation * in->stride;
    at.inner_begin = window->pad > 0 ? (window->pad + window->stride - 1) / window->stride : 0;
    at.inner_end = last_origin + window->pad >= 0 ? (last_origin + window->pad) / window->stride + 1 : 0;
    at.some_row = NULL;
    for (int32_t k = 0; k < window->rows; ++k) {
        at.some_row = rows[k] != NULL ? rows[k] : at.some_row;
    }
    const int multiplied = conv->groups != 1 && conv->groups % 4 == 0 && taps <= MAX_COPIED_TAPS;
    const int32_t fours = conv->groups == 1 ? out->channels & ~3 : multiplied ? out->channels : 0;
    const int may_widen = conv->groups == 1 && taps <= MAX_WIDE_TAPS && at.some_row != NULL;
    const int32_t together = may_widen ? split_pixels_together(conv, rows, in, output, out, 1) : 1;
    if (together > 1) {
        wide_runs(&at, together);
        return;
    }
    for (int32_t x = 0; x < out->columns; ++x) {
        if (multiplied) {
            multiplied_pixel(&at, conv->groups, x);
        }
        for (int32_t channel = 0; channel < fours && !multiplied; channel += 4) {
            at.channel = channel;
            if (window->columns == 1) {
                narrow_column(&at, x);
            } else {
                narrow_any(&at, x);
            }
        }
        for (int32_t channel = fours; channel < out->channels; ++channel) {
            one_channel(&at, x, channel);
        }
    }
}

#endif /* SPLIT_NN_DSP */
