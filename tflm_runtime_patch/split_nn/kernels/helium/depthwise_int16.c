/* DEPTHWISE_INT16: one output row on MVE, four channels at a time. Stack: below 300 bytes. */
#include "../target.h"

#if defined(SPLIT_NN_MVE)

#include "helium.h"
#include "../depthwise_int16_row.h"

static split_four tap(const int16_t* values, const int8_t* weights, split_four sums) {
    sums.sum0 += weights[0] * values[0];
    sums.sum1 += weights[1] * values[1];
    sums.sum2 += weights[2] * values[2];
    sums.sum3 += weights[3] * values[3];
    return sums;
}

/* The window's products for four channels, or for those of them that exist. There are no more than
 * SPLIT_INT32_PRODUCTS taps. */
SPLIT_ALWAYS_INLINE int32x4_t window_of_four(const split_conv_int16* conv, const int16_t* const* rows,
                                             const split_pixels* in, split_reach at, int32_t first, int32_t channels) {
    const split_window* window = &conv->window;
    const mve_pred16_t p = vctp32q((uint32_t)(channels - first));
    const int32_t step = window->dilation * in->stride / (int32_t)sizeof(int16_t);
    const int32_t start = (at.origin + at.begin * window->dilation) * in->stride / (int32_t)sizeof(int16_t) + first;
    const int8_t* weights = conv->weights + at.begin * channels + first;
    int32x4_t sums = vdupq_n_s32(0);
    for (int32_t k = 0; k < window->rows; ++k, weights += window->columns * channels) {
        if (rows[k] == NULL) {
            continue;
        }
        const int16_t* values = rows[k] + start;
        const int8_t* weight = weights;
        for (int32_t left = at.end - at.begin; left > 0; --left, values += step, weight += channels) {
            sums = vaddq_s32(sums, vmulq_s32(vldrhq_z_s32(values, p), vldrbq_z_s32(weight, p)));
        }
    }
    return sums;
}

void split_nn_depthwise_int16_row(const split_conv_int16* conv, const int16_t* const* rows, const split_pixels* in,
                                  int16_t* output, const split_pixels* out) {
    const int32_t channels = out->channels;
    if (conv->groups != 1 || conv->window.rows * conv->window.columns > SPLIT_INT32_PRODUCTS) {
        split_depthwise_int16_row_of(conv, rows, in, output, out, tap);
        return;
    }
    for (int32_t x = 0; x < out->columns; ++x) {
        const split_reach at = split_reach_of(&conv->window, x, in->columns);
        int16_t* pixel = split_output_int16(output, x, out->stride);
        for (int32_t first = 0; first < channels; first += SPLIT_MVE_WORDS) {
            int32_t sums[SPLIT_MVE_WORDS];
            vstrwq_s32(sums, window_of_four(conv, rows, in, at, first, channels));
            const int32_t count = channels - first < SPLIT_MVE_WORDS ? channels - first : SPLIT_MVE_WORDS;
            for (int32_t lane = 0; lane < count; ++lane) {
                const uint64_t bias = split_join_halves(conv->bias + 2 * (first + lane));
                pixel[first + lane] =
                    split_to_int16(&conv->scaling, first + lane, (uint64_t)(int64_t)sums[lane] + bias);
            }
        }
    }
}

#endif /* SPLIT_NN_MVE */
