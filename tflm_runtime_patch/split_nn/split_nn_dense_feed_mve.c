/* DENSE_FEED on MVE: FULLY_CONNECTED fed row by row, four outputs at a time. Stack: below 200 bytes. */
#include "split_nn_target.h"

#if defined(SPLIT_NN_MVE)

#include "split_nn_mve.h"

void split_nn_dense_row(const split_dense* dense, const int8_t* input, const split_pixels* in, int32_t* sums,
                        int32_t outputs) {
    const int contiguous = in->stride == in->channels;
    const int32_t runs = contiguous ? 1 : in->columns;
    const int32_t run = contiguous ? in->columns * in->channels : in->channels;
    const int32_t stride = in->stride, step = dense->weights_step;
    const int8_t* weights = dense->weights;
    int32_t output = 0;
    for (; output + SPLIT_MVE_WORDS <= outputs; output += SPLIT_MVE_WORDS, weights += SPLIT_MVE_WORDS * step) {
        for (int32_t r = 0; r < runs; ++r) {
            split_mve_add_dots4(sums + output, input + r * stride, weights + r * run, step, run);
        }
    }
    for (; output < outputs; ++output, weights += step) {
        for (int32_t r = 0; r < runs; ++r) {
            sums[output] = split_mve_add_dot(sums[output], input + r * stride, weights + r * run, run);
        }
    }
}

void split_nn_dense_finish(const split_dense* dense, const int32_t* sums, int32_t outputs, int8_t* output) {
    split_mve_shared_scale shared;
    const split_requantization scales = split_mve_scales(&dense->requantization, &shared);
    for (int32_t o = 0; o < outputs; o += SPLIT_MVE_WORDS) {
        const mve_pred16_t p = vctp32q((uint32_t)(outputs - o));
        split_mve_store(&scales, o, vldrwq_z_s32(sums + o, p), output + o, p);
    }
}

#endif /* SPLIT_NN_MVE */
