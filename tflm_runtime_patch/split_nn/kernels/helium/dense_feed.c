/* DENSE_FEED on MVE: FULLY_CONNECTED fed row by row. Stack: below 200 bytes. */
#include "../target.h"

#if defined(SPLIT_NN_MVE)

#include "helium.h"

void split_nn_dense_row(const split_dense* dense, const int8_t* input, const split_pixels* in, int32_t* sums,
                        int32_t outputs) {
    const int contiguous = in->stride == in->channels;
    const int32_t runs = contiguous ? 1 : in->columns;
    const int32_t run = contiguous ? in->columns * in->channels : in->channels;
    for (int32_t r = 0; r < runs; ++r) {
        split_mve_dots(sums, sums, outputs, input + r * in->stride, run, dense->weights + r * run, dense->weights_step);
    }
}

void split_nn_dense_finish(const split_dense* dense, const int32_t* sums, int32_t outputs, int8_t* output) {
    const split_mve_scales scales = split_mve_scales_of(&dense->requantization, outputs);
    const int32_t rest = outputs % SPLIT_MVE_WORDS;
    const int32_t whole = outputs - rest;
    split_mve_store(&scales, 0, sums, whole, output);
    if (rest > 0) { /* there may be no memory behind the last sum */
        const mve_pred16_t p = vctp32q((uint32_t)rest);
        int32_t last[SPLIT_MVE_WORDS];
        vstrwq_s32(last, vldrwq_z_s32(sums + whole, p));
        split_mve_store(&scales, whole, last, rest, output + whole);
    }
}

#endif /* SPLIT_NN_MVE */
