/* CONV_SUM: one group of input channels of a convolution, added to the sums of one output row; and the row they end up
 * as. Two pixels and two filters at a time where the window has one tap, otherwise one pixel and four filters. Stack:
 * below 250 bytes. */
#include "../target.h"

#if defined(SPLIT_NN_DSP)

#include <string.h>

#include "dot.h"
#include "../shared_int8.h"

/* Taps in the padding are read from a buffer of this many padding values. */
#define PADDING_BYTES 32

/* Not inlined, so that the loops of the function have all registers. */
#define NOINLINE __attribute__((noinline))

/* Four filters and their sums for one pixel. If fewer are left, the last one is repeated. */
typedef struct lanes {
    const int8_t* filters[4];
    uint32_t sums[4];
} lanes;

static NOINLINE void add_stretch(lanes* to, const int8_t* values, int32_t offset, int32_t count) {
    uint32_t sums[4] = {to->sums[0], to->sums[1], to->sums[2], to->sums[3]};
    split_dot_1x4(values, to->filters[0] + offset, to->filters[1] + offset, to->filters[2] + offset,
                  to->filters[3] + offset, count, sums);
    memcpy(to->sums, sums, sizeof sums);
}

static void add_padding(lanes* to, const int8_t* padding, int32_t offset, int32_t count) {
    while (padding[0] != 0 && count > 0) {
        const int32_t bytes = count < PADDING_BYTES ? count : PADDING_BYTES;
        add_stretch(to, padding, offset, bytes);
        offset += bytes;
        count -= bytes;
    }
}

/* Adds the window of one pixel. Its columns [begin, end) lie inside the input. */
static void add_window(lanes* to, const split_conv* conv, const int8_t* const* rows, const split_pixels* in,
                       int32_t origin, int32_t begin, int32_t end, const int8_t* padding) {
    const split_window* window = &conv->window;
    const int32_t depth = in->channels;
    const int32_t row_bytes = window->columns * depth;
    const int contiguous = window->dilation == 1 && in->stride == depth;
    int32_t offset = 0;
    for (int32_t k = 0; k < window->rows; ++k, offset += row_bytes) {
        if (rows[k] == NULL || begin == end) {
            add_padding(to, padding, offset, row_bytes);
            continue;
        }
        const int8_t* row = rows[k];
        add_padding(to, padding, offset, begin * depth);
        if (contiguous) {
            add_stretch(to, row + (origin + begin) * depth, offset + begin * depth, (end - begin) * depth);
        } else {
            for (int32_t t = begin; t < end; ++t) {
                add_stretch(to, row + (origin + t * window->dilation) * in->stride, offset + t * depth, depth);
            }
        }
        add_padding(to, padding, offset + end * depth, (window->columns - end) * depth);
    }
}

/* Two pixels of one tap each, two filters at a time. An odd last filter is left out. */
static NOINLINE void add_two_pixels(const int8_t* weights, const int8_t* pixel0, const int8_t* pixel1, int32_t depth,
                                    int32_t* sums0, int32_t* sums1, int32_t channels) {
    for (int32_t c = 0; c + 1 < channels; c += 2, weights += 2 * depth) {
        uint32_t sums[4] = {(uint32_t)sums0[c], (uint32_t)sums0[c + 1], (uint32_t)sums1[c], (uint32_t)sums1[c + 1]};
        split_dot_2x2(pixel0, pixel1, weights, weights + depth, depth, sums);
        sums0[c] = (int32_t)sums[0];
        sums0[c + 1] = (int32_t)sums[1];
        sums1[c] = (int32_t)sums[2];
        sums1[c + 1] = (int32_t)sums[3];
    }
}

void split_nn_conv_sum_row(const split_conv* conv, const int8_t* const* rows, const split_pixels* in, int32_t* sums,
                           const split_pixels* out) {
    const split_window* window = &conv->window;
    const int32_t depth = in->channels;
    const int32_t channels = out->channels;
    const int32_t filter = window->rows * window->columns * depth;
    const int one_tap = filter == depth && rows[0] != NULL;
    int8_t padding[PADDING_BYTES];
    memset(padding, conv->input_zero_point, sizeof padding);
    for (int32_t x = 0; x < out->columns; ++x) {
        const int32_t origin = x * window->stride - window->pad;
        int32_t* const pixel = sums + x * channels;
        int32_t pixels = 1, first = 0, begin, end;
        if (one_tap && x + 1 < out->columns && origin >= 0 && origin + window->stride < in->columns) {
            const int8_t* values = rows[0] + origin * in->stride;
            add_two_pixels(conv->weights, values, values + window->stride * in->stride, depth, pixel, pixel + channels,
                           channels);
            pixels = 2;
            first = channels & ~1;
        }
        for (int32_t p = 0; p < pixels && first < channels; ++p) {
            const int32_t at = origin + p * window->stride;
            split_clip_window(window, at, in->columns, &begin, &end);
            for (int32_t c = first; c < channels; c += 4) {
                const int32_t left = channels - c; /* spare lanes repeat the last filter */
                const int32_t lane1 = left > 1 ? 1 : 0, lane2 = left > 2 ? 2 : lane1, lane3 = left > 3 ? 3 : lane2;
                const int8_t* weights = conv->weights + c * filter;
                lanes four = {{weights, weights + lane1 * filter, weights + lane2 * filter, weights + lane3 * filter},
                              {0, 0, 0, 0}};
                add_window(&four, conv, rows, in, at, begin, end, padding);
                for (int32_t lane = 0; lane < (left < 4 ? left : 4); ++lane) {
                    int32_t* sum = pixel + p * channels + c + lane;
                    *sum = split_wrapping_add(*sum, (int32_t)four.sums[lane]);
                }
            }
        }
        x += pixels - 1;
    }
}

void split_nn_conv_sum_finish(const split_requantization* to, const int32_t* sums, int8_t* output,
                              const split_pixels* out) {
    const split_dsp_target target = split_dsp_target_of(to->zero_point, to->min, to->max);
    for (int32_t x = 0; x < out->columns; ++x, sums += out->channels, output += out->stride) {
        for (int32_t c = 0; c < out->channels; ++c) {
            output[c] = split_dsp_to_int8((uint32_t)sums[c], split_dsp_scale_of(to, c), &target);
        }
    }
}

#endif /* SPLIT_NN_DSP */
