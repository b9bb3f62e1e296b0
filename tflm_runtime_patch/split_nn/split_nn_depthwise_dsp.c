/* DEPTHWISE: one output row, four channels at a time all along the row, so that their weights are widened once.
 * Stack: below 550 bytes. */
#include <stddef.h>

#include "split_nn_internal.h"
#include "split_nn_target.h"

#if defined(SPLIT_NN_DSP)

#include "split_nn_dsp.h"

/* Taps whose widened weights are kept; with more, one window row is widened at a time. Windows with more
 * columns are summed tap by tap. */
#define MAX_TAPS 32

/* The loops of a function have its registers to themselves. */
#define NOINLINE __attribute__((noinline))

/* Widened weights of a window row. Taps come in pairs, four words each: both taps of channel 0, of channel 1,
 * 2, 3. An odd last tap has two: channels 0 and 2, 1 and 3. So a tap takes two words. */
typedef uint32_t wide_weights;

/* Four channels of a layer. */
typedef struct group {
    const split_conv* conv;
    const int8_t* const* rows;
    const int8_t* some_row; /* one of them that lies inside the input */
    int32_t row_count;      /* 0: none does */
    const split_pixels* in;
    split_dsp_target target;
    split_dsp_scale scales[4];
    uint32_t bias[4];      /* with what the window rows outside the input add */
    int32_t plain;         /* are all shifts to the right and all of int8 in range? */
    int32_t step;          /* bytes from tap to tap of an input row */
    int32_t input;         /* the first of the input channels they read */
    const int8_t* weights; /* of the first channel */
    int32_t channels;      /* bytes from a tap's weights to the next tap's */
    int32_t inner_begin;   /* the windows of output pixels [inner_begin, inner_end) lie inside the input */
    int32_t inner_end;
    int32_t keeps; /* are all weights in `wide`, or only those of one row? */
    wide_weights* wide;
} group;

/* Adds the products of two taps, one word of four channels each. */
SPLIT_DSP_INLINE const wide_weights* add_pair(uint32_t tap0, uint32_t tap1, const wide_weights* wide,
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
        : [tap0] "+r"(tap0), [tap1] "+r"(tap1), [upper] "=&r"(upper), [weight0] "=&r"(weight0),
          [weight1] "=&r"(weight1), [wide] "+r"(wide), [sum0] "+r"(sums[0]), [sum1] "+r"(sums[1]), [sum2] "+r"(sums[2]),
          [sum3] "+r"(sums[3])
        :
        : "memory");
    return wide;
}

/* And those of a tap on its own. */
SPLIT_DSP_INLINE const wide_weights* add_tap(uint32_t tap, const wide_weights* wide, uint32_t sums[4]) {
    uint32_t odd, weight0, weight1;
    __asm__ volatile(
        "ldrd %[weight0], %[weight1], [%[wide]], #8\n\t"
        "sxtb16 %[odd], %[tap], ror #8\n\t"
        "sxtb16 %[tap], %[tap]\n\t"
        "smlabb %[sum0], %[tap], %[weight0], %[sum0]\n\t"
        "smlabb %[sum1], %[odd], %[weight1], %[sum1]\n\t"
        "smlatt %[sum2], %[tap], %[weight0], %[sum2]\n\t"
        "smlatt %[sum3], %[odd], %[weight1], %[sum3]"
        : [tap] "+r"(tap), [odd] "=&r"(odd), [weight0] "=&r"(weight0), [weight1] "=&r"(weight1), [wide] "+r"(wide),
          [sum0] "+r"(sums[0]), [sum1] "+r"(sums[1]), [sum2] "+r"(sums[2]), [sum3] "+r"(sums[3])
        :
        : "memory");
    return wide;
}

/* The same for two taps, and for one, of an input channel that all four output channels read. */
SPLIT_DSP_INLINE const wide_weights* add_pair_of_one(uint32_t tap0, uint32_t tap1, const wide_weights* wide,
                                                     uint32_t sums[4]) {
    const uint32_t pair = split_lower_halves(tap0, tap1);
    sums[0] = split_add_products(pair, wide[0], sums[0]);
    sums[1] = split_add_products(pair, wide[1], sums[1]);
    sums[2] = split_add_products(pair, wide[2], sums[2]);
    sums[3] = split_add_products(pair, wide[3], sums[3]);
    return wide + 4;
}
SPLIT_DSP_INLINE const wide_weights* add_tap_of_one(uint32_t tap, const wide_weights* wide, uint32_t sums[4]) {
    sums[0] += split_product((int16_t)wide[0], (int32_t)tap);
    sums[1] += split_product((int16_t)wide[1], (int32_t)tap);
    sums[2] += split_product((int32_t)wide[0] >> 16, (int32_t)tap);
    sums[3] += split_product((int32_t)wide[1] >> 16, (int32_t)tap);
    return wide + 2;
}

/* Adds the products of a window row of three columns, `step` bytes apart. */
SPLIT_DSP_INLINE const wide_weights* add_three(const int8_t* pixel, int32_t step, const wide_weights* wide,
                                               uint32_t sums[4]) {
    uint32_t tap0, tap1, upper, weight0, weight1;
    __asm__ volatile(
        "ldr %[tap0], [%[pixel]]\n\t"
        "ldr %[tap1], [%[pixel], %[step]]\n\t"
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
        "smlad %[sum3], %[upper], %[weight1], %[sum3]\n\t"
        "ldr %[tap0], [%[pixel], %[step], lsl #1]\n\t"
        "ldrd %[weight0], %[weight1], [%[wide]], #8\n\t"
        "sxtb16 %[tap1], %[tap0], ror #8\n\t"
        "sxtb16 %[tap0], %[tap0]\n\t"
        "smlabb %[sum0], %[tap0], %[weight0], %[sum0]\n\t"
        "smlabb %[sum1], %[tap1], %[weight1], %[sum1]\n\t"
        "smlatt %[sum2], %[tap0], %[weight0], %[sum2]\n\t"
        "smlatt %[sum3], %[tap1], %[weight1], %[sum3]"
        : [tap0] "=&r"(tap0), [tap1] "=&r"(tap1), [upper] "=&r"(upper), [weight0] "=&r"(weight0),
          [weight1] "=&r"(weight1), [wide] "+r"(wide), [sum0] "+r"(sums[0]), [sum1] "+r"(sums[1]), [sum2] "+r"(sums[2]),
          [sum3] "+r"(sums[3])
        : [pixel] "r"(pixel), [step] "r"(step)
        : "memory");
    return wide;
}

/* The taps of a window row as one pixel sees it. */
typedef struct taps {
    const int8_t* row;
    int32_t start; /* bytes from the row's first pixel to tap 0, which may lie outside */
    int32_t step;
    int32_t begin; /* taps [begin, end) lie inside */
    int32_t end;
    uint32_t padding; /* what the others read */
} taps;

/* Tap t: one word of four channels, or with `one` the byte that is all there is to know. */
SPLIT_DSP_INLINE uint32_t tap_at(const taps* at, int32_t t, int one) {
    if (t < at->begin || t >= at->end) {
        return at->padding;
    }
    const int8_t* pixel = at->row + (at->start + t * at->step);
    return one ? (uint32_t)*pixel : split_load4(pixel);
}

/* Adds the products of one window row. */
SPLIT_DSP_INLINE const wide_weights* add_taps(const taps* at, int32_t columns, int one, const wide_weights* wide,
                                              uint32_t sums[4]) {
    int32_t t = 0;
    for (; t + 1 < columns; t += 2) {
        const uint32_t tap0 = tap_at(at, t, one), tap1 = tap_at(at, t + 1, one);
        wide = one ? add_pair_of_one(tap0, tap1, wide, sums) : add_pair(tap0, tap1, wide, sums);
    }
    if (t < columns) {
        const uint32_t tap = tap_at(at, t, one);
        wide = one ? add_tap_of_one(tap, wide, sums) : add_tap(tap, wide, sums);
    }
    return wide;
}

/* The same with all taps inside. */
SPLIT_DSP_INLINE const wide_weights* add_inner_taps(const int8_t* pixel, int32_t step, int32_t columns, int one,
                                                    const wide_weights* wide, uint32_t sums[4]) {
    for (int32_t pairs = columns >> 1; pairs > 0; --pairs, pixel += 2 * step) {
        if (one) {
            wide = add_pair_of_one((uint32_t)pixel[0], (uint32_t)pixel[step], wide, sums);
        } else {
            wide = add_pair(split_load4(pixel), split_load4(pixel + step), wide, sums);
        }
    }
    if (columns & 1) {
        wide = one ? add_tap_of_one((uint32_t)*pixel, wide, sums) : add_tap(split_load4(pixel), wide, sums);
    }
    return wide;
}

static wide_weights* widen_row(const group* at, int32_t k, wide_weights* wide) {
    int32_t columns = at->conv->window.columns;
    const int8_t* weights = at->weights + k * columns * at->channels;
    for (; columns >= 2; columns -= 2, wide += 4) {
        const uint32_t tap0 = split_load4(weights), tap1 = split_load4(weights + at->channels);
        const uint32_t lower = split_lower_halves(tap0, tap1), upper = split_upper_halves(tap0, tap1);
        wide[0] = split_even(lower);
        wide[1] = split_odd(lower);
        wide[2] = split_even(upper);
        wide[3] = split_odd(upper);
        weights += 2 * at->channels;
    }
    if (columns != 0) {
        const uint32_t tap = split_load4(weights);
        wide[0] = split_even(tap);
        wide[1] = split_odd(tap);
        wide += 2;
    }
    return wide;
}

/* A window row outside the input: what its taps add goes to the bias; whatever is read in their place weighs
 * nothing. */
static wide_weights* fold_row(group* at, int32_t k, wide_weights* wide) {
    const int32_t columns = at->conv->window.columns;
    const int32_t padding = at->conv->input_zero_point;
    const int8_t* weights = at->weights + k * columns * at->channels;
    for (int32_t t = 0; t < columns; ++t, weights += at->channels) {
        at->bias[0] += split_product(weights[0], padding);
        at->bias[1] += split_product(weights[1], padding);
        at->bias[2] += split_product(weights[2], padding);
        at->bias[3] += split_product(weights[3], padding);
        *wide++ = 0;
        *wide++ = 0;
    }
    return wide;
}

static NOINLINE void store_four_any(const group* at, uint32_t sum0, uint32_t sum1, uint32_t sum2, uint32_t sum3,
                                    int8_t* to) {
    to[0] = split_dsp_to_int8(sum0, at->scales[0], &at->target);
    to[1] = split_dsp_to_int8(sum1, at->scales[1], &at->target);
    to[2] = split_dsp_to_int8(sum2, at->scales[2], &at->target);
    to[3] = split_dsp_to_int8(sum3, at->scales[3], &at->target);
}

SPLIT_DSP_INLINE void store_four(const group* at, const uint32_t sums[4], int8_t* to) {
    int32_t twice0, twice1, twice2, twice3;
    if (at->plain && split_fits_twice(sums[0], &twice0) && split_fits_twice(sums[1], &twice1) &&
        split_fits_twice(sums[2], &twice2) && split_fits_twice(sums[3], &twice3)) {
        const int32_t nudge = at->target.nudge;
        to[0] = (int8_t)split_dsp_requantize_twice(twice0, at->scales[0], nudge);
        to[1] = (int8_t)split_dsp_requantize_twice(twice1, at->scales[1], nudge);
        to[2] = (int8_t)split_dsp_requantize_twice(twice2, at->scales[2], nudge);
        to[3] = (int8_t)split_dsp_requantize_twice(twice3, at->scales[3], nudge);
    } else {
        store_four_any(at, sums[0], sums[1], sums[2], sums[3], to);
    }
}

/* A window row of a pixel; of one outside the input, any other will do. */
SPLIT_DSP_INLINE const int8_t* row_at(const group* at, int32_t k) {
    return at->rows[k] != NULL ? at->rows[k] : at->some_row;
}

/* One pixel, some of whose taps lie outside the input, or whose weights are not kept. */
SPLIT_DSP_INLINE void outer_pixel(const group* at, int32_t columns, int one, int32_t origin, int8_t* output) {
    const wide_weights* wide = at->wide;
    const uint32_t padding = (uint32_t)at->conv->input_zero_point;
    uint32_t sums[4] = {at->bias[0], at->bias[1], at->bias[2], at->bias[3]};
    taps read = {NULL, origin * at->in->stride + at->input, at->step, 0, 0, padding};
    if (!one) {
        read.padding = (padding & 0xFFu) * UINT32_C(0x01010101);
    }
    split_clip_window(&at->conv->window, origin, at->in->columns, &read.begin, &read.end);
    for (int32_t k = 0; k < at->row_count; ++k) {
        read.row = row_at(at, k);
        if (!at->keeps) {
            wide = at->wide;
            if (at->rows[k] == NULL) {
                continue;
            }
            widen_row(at, k, at->wide);
        }
        wide = add_taps(&read, columns, one, wide, sums);
    }
    store_four(at, sums, output);
}

/* Pixels whose taps all lie inside, the first at `origin`. */
SPLIT_DSP_INLINE void inner_pixels(const group* at, int32_t columns, int one, int32_t origin, int32_t count,
                                   int8_t* output, int32_t output_step) {
    const int32_t step = at->step;
    const int32_t advance = at->conv->window.stride * at->in->stride;
    int32_t start = origin * at->in->stride + at->input;
    for (; count > 0; --count, start += advance, output += output_step) {
        const wide_weights* wide = at->wide;
        uint32_t sums[4] = {at->bias[0], at->bias[1], at->bias[2], at->bias[3]};
        for (int32_t k = 0; k < at->row_count; ++k) {
            wide = add_inner_taps(row_at(at, k) + start, step, columns, one, wide, sums);
        }
        store_four(at, sums, output);
    }
}

typedef void outer_function(const group* at, int32_t origin, int8_t* output);
typedef void inner_function(const group* at, int32_t origin, int32_t count, int8_t* output, int32_t output_step);

static NOINLINE void outer_three(const group* at, int32_t origin, int8_t* output) {
    outer_pixel(at, 3, 0, origin, output);
}
static NOINLINE void outer_any(const group* at, int32_t origin, int8_t* output) {
    outer_pixel(at, at->conv->window.columns, 0, origin, output);
}
static NOINLINE void outer_of_one(const group* at, int32_t origin, int8_t* output) {
    outer_pixel(at, at->conv->window.columns, 1, origin, output);
}

/* 3x3 windows. */
static NOINLINE void inner_three(const group* at, int32_t origin, int32_t count, int8_t* output, int32_t output_step) {
    const int32_t step = at->step;
    const int32_t advance = at->conv->window.stride * at->in->stride;
    const int32_t start = origin * at->in->stride + at->input;
    const int8_t* row0 = row_at(at, 0) + start;
    const int8_t* row1 = row_at(at, 1) + start;
    const int8_t* row2 = row_at(at, 2) + start;
    for (; count > 0; --count, output += output_step) {
        const wide_weights* wide = at->wide;
        uint32_t sums[4] = {at->bias[0], at->bias[1], at->bias[2], at->bias[3]};
        wide = add_three(row0, step, wide, sums);
        row0 += advance;
        wide = add_three(row1, step, wide, sums);
        row1 += advance;
        wide = add_three(row2, step, wide, sums);
        row2 += advance;
        store_four(at, sums, output);
    }
}
static NOINLINE void inner_any(const group* at, int32_t origin, int32_t count, int8_t* output, int32_t output_step) {
    inner_pixels(at, at->conv->window.columns, 0, origin, count, output, output_step);
}
static NOINLINE void inner_of_one(const group* at, int32_t origin, int32_t count, int8_t* output, int32_t output_step) {
    inner_pixels(at, at->conv->window.columns, 1, origin, count, output, output_step);
}

/* Channels [channel, channel + 4) of pixels [begin, end). */
static void four_channels(group* at, int32_t channel, int32_t begin, int32_t end, int8_t* output,
                          const split_pixels* out) {
    const split_conv* conv = at->conv;
    const split_window* window = &conv->window;
    wide_weights* wide = at->wide;
    int32_t right = 0;
    at->weights = conv->weights + channel;
    at->input = conv->groups == 1 ? channel : channel / conv->groups;
    for (int32_t i = 0; i < 4; ++i) {
        at->scales[i] = split_dsp_scale_of(&conv->requantization, channel + i);
        at->bias[i] = (uint32_t)conv->bias[channel + i];
        right |= at->scales[i].right;
    }
    at->plain = right >= 0 && !at->target.narrow;
    for (int32_t k = 0; k < window->rows; ++k) {
        if (at->rows[k] == NULL) {
            wide = fold_row(at, k, at->keeps ? wide : at->wide);
        } else if (at->keeps) {
            wide = widen_row(at, k, wide);
        }
    }
    const int three = conv->groups == 1 && window->columns == 3;
    outer_function* const outer = conv->groups != 1 ? outer_of_one : three ? outer_three : outer_any;
    inner_function* const inner = conv->groups != 1             ? inner_of_one
                                  : three && at->row_count == 3 ? inner_three
                                                                : inner_any;
    output += channel;
    int32_t x = begin;
    for (; x < end && x < at->inner_begin; ++x) {
        outer(at, x * window->stride - window->pad, output + x * out->stride);
    }
    const int32_t inner_end = at->inner_end < end ? at->inner_end : end;
    if (x < inner_end) {
        inner(at, x * window->stride - window->pad, inner_end - x, output + x * out->stride, out->stride);
        x = inner_end;
    }
    for (; x < end; ++x) {
        outer(at, x * window->stride - window->pad, output + x * out->stride);
    }
}

/* Any channel, any window: tap by tap. */
static void one_channel(const group* at, int32_t channel, int32_t begin, int32_t end, int8_t* output,
                        const split_pixels* out) {
    const split_conv* conv = at->conv;
    const split_window* window = &conv->window;
    const split_dsp_scale scale = split_dsp_scale_of(&conv->requantization, channel);
    for (int32_t x = begin; x < end; ++x) {
        const int8_t* weight = conv->weights + channel;
        uint32_t sum = (uint32_t)conv->bias[channel];
        for (int32_t k = 0; k < window->rows; ++k) {
            int32_t column = x * window->stride - window->pad;
            for (int32_t t = 0; t < window->columns; ++t, column += window->dilation, weight += at->channels) {
                const int inside = at->rows[k] != NULL && column >= 0 && column < at->in->columns;
                const int32_t value =
                    inside ? at->rows[k][column * at->in->stride + channel / conv->groups] : conv->input_zero_point;
                sum += split_product(*weight, value);
            }
        }
        output[x * out->stride + channel] = split_dsp_to_int8(sum, scale, &at->target);
    }
}

void split_nn_depthwise_row(const split_conv* conv, const int8_t* const* rows, const split_pixels* in, int8_t* output,
                            const split_pixels* out) {
    const split_requantization* to = &conv->requantization;
    const split_window* window = &conv->window;
    const int32_t last_origin = in->columns - (window->columns - 1) * window->dilation - 1;
    wide_weights wide[2 * MAX_TAPS];
    group at;
    at.conv = conv;
    at.rows = rows;
    at.some_row = NULL;
    for (int32_t k = 0; k < window->rows; ++k) {
        at.some_row = rows[k] != NULL ? rows[k] : at.some_row;
    }
    at.row_count = at.some_row != NULL ? window->rows : 0;
    at.in = in;
    at.target = split_dsp_target_of(to->zero_point, to->min, to->max);
    at.step = window->dilation * in->stride;
    at.channels = out->channels;
    at.keeps = window->rows * window->columns <= MAX_TAPS;
    at.wide = wide;
    at.inner_begin = window->pad > 0 ? (window->pad + window->stride - 1) / window->stride : 0;
    at.inner_end = at.keeps && last_origin + window->pad >= 0 ? (last_origin + window->pad) / window->stride + 1 : 0;
    const int fours = window->columns <= MAX_TAPS && (conv->groups == 1 || conv->groups % 4 == 0);
    const int32_t in_fours = fours ? out->channels & ~3 : 0;
    /* Where the output may lie on the input, a pixel must be done with before the next one is written. */
    const int32_t run = split_dsp_rows_are_apart(rows, window->rows, in, output, out) ? out->columns : 1;
    for (int32_t x = 0; x < out->columns; x += run) {
        for (int32_t channel = 0; channel < in_fours; channel += 4) {
            four_channels(&at, channel, x, x + run, output, out);
        }
        for (int32_t channel = in_fours; channel < out->channels; ++channel) {
            one_channel(&at, channel, x, x + run, output, out);
        }
    }
}

#endif /* SPLIT_NN_DSP */
