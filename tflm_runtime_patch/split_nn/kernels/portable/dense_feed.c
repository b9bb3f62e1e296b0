/* DENSE_FEED: FULLY_CONNECTED fed row by row. Stack: below 100 bytes. */
#include "../target.h"

#if !defined(SPLIT_NN_DSP) && !defined(SPLIT_NN_MVE)

#include "dots.h"
#include "store.h"

void split_nn_dense_row(const split_dense* dense, const int8_t* input, const split_pixels* in, int32_t* sums,
                        int32_t outputs) {
    const int contiguous = in->stride == in->channels;
    const int32_t runs = contiguous ? 1 : in->columns;
    const int32_t run = contiguous ? in->columns * in->channels : in->channels;
    int32_t o = 0;
    for (; o + SPLIT_DOTS <= outputs; o += SPLIT_DOTS) {
        const int8_t* weights = dense->weights + o * dense->weights_step;
        for (int32_t r = 0; r < runs; ++r, weights += run) {
            split_add_dots_1x4((uint32_t*)sums + o, input + r * in->stride, weights, dense->weights_step, run);
        }
    }
    for (; o < outputs; ++o) {
        const int8_t* weights = dense->weights + o * dense->weights_step;
        uint32_t sum = (uint32_t)sums[o];
        for (int32_t r = 0; r < runs; ++r) {
            sum += split_dot(weights + r * run, input + r * in->stride, run);
        }
        sums[o] = (int32_t)sum;
    }
}

void split_nn_dense_finish(const split_dense* dense, const int32_t* sums, int32_t outputs, int8_t* output) {
    split_store_channels(&dense->requantization, 0, (const uint32_t*)sums, outputs, output);
}

#endif /* !SPLIT_NN_DSP && !SPLIT_NN_MVE */
