/* DENSE_FEED: FULLY_CONNECTED fed row by row, four outputs at a time. Stack: below 150 bytes. */
#include "../shared_int8.h"
#include "../target.h"

#if defined(SPLIT_NN_DSP)

#include "dot.h"

/* Adds the products of one run of elements to sums[0..3]. If fewer than four outputs are left, the last is repeated. */
static void add_run(const split_dense* dense, const int8_t* weights, const int8_t* values, int32_t count,
                    int32_t outputs, int32_t* sums) {
    const int32_t step = dense->weights_step;
    const int32_t lane1 = outputs > 1 ? 1 : 0, lane2 = outputs > 2 ? 2 : lane1, lane3 = outputs > 3 ? 3 : lane2;
    uint32_t added[4] = {0, 0, 0, 0};
    split_dot_1x4(values, weights, weights + lane1 * step, weights + lane2 * step, weights + lane3 * step, count,
                  added);
    sums[0] = split_wrapping_add(sums[0], (int32_t)added[0]);
    if (outputs > 1) {
        sums[1] = split_wrapping_add(sums[1], (int32_t)added[1]);
    }
    if (outputs > 2) {
        sums[2] = split_wrapping_add(sums[2], (int32_t)added[2]);
    }
    if (outputs > 3) {
        sums[3] = split_wrapping_add(sums[3], (int32_t)added[3]);
    }
}

void split_nn_dense_row(const split_dense* dense, const int8_t* input, const split_pixels* in, int32_t* sums,
                        int32_t outputs) {
    const int contiguous = in->stride == in->channels;
    const int32_t runs = contiguous ? 1 : in->columns;
    const int32_t run = contiguous ? in->columns * in->channels : in->channels;
    for (int32_t o = 0; o < outputs; o += 4) {
        const int8_t* weights = dense->weights + o * dense->weights_step;
        for (int32_t r = 0; r < runs; ++r) {
            add_run(dense, weights + r * run, input + r * in->stride, run, outputs - o, sums + o);
        }
    }
}

void split_nn_dense_finish(const split_dense* dense, const int32_t* sums, int32_t outputs, int8_t* output) {
    const split_requantization* to = &dense->requantization;
    const split_dsp_target target = split_dsp_target_of(to->zero_point, to->min, to->max);
    for (int32_t o = 0; o < outputs; ++o) {
        output[o] = split_dsp_to_int8((uint32_t)sums[o], split_dsp_scale_of(to, o), &target);
    }
}

#endif /* SPLIT_NN_DSP */
