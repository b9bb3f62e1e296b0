/* DENSE_FEED: FULLY_CONNECTED fed row by row. Stack: below 100 bytes. */
#include "../shared_int8.h"
#include "../target.h"

#if !defined(SPLIT_NN_DSP) && !defined(SPLIT_NN_MVE)

void split_nn_dense_row(const split_dense* dense, const int8_t* input, const split_pixels* in, int32_t* sums,
                        int32_t outputs) {
    const int contiguous = in->stride == in->channels;
    const int32_t runs = contiguous ? 1 : in->columns;
    const int32_t run = contiguous ? in->columns * in->channels : in->channels;
    for (int32_t o = 0; o < outputs; ++o) {
        const int8_t* weights = dense->weights + o * dense->weights_step;
        uint32_t sum = (uint32_t)sums[o];
        for (int32_t r = 0; r < runs; ++r) {
            sum += split_dot(weights + r * run, input + r * in->stride, run);
        }
        sums[o] = (int32_t)sum;
    }
}

void split_nn_dense_finish(const split_dense* dense, const int32_t* sums, int32_t outputs, int8_t* output) {
    for (int32_t o = 0; o < outputs; ++o) {
        output[o] = split_to_int8(&dense->requantization, o, (uint32_t)sums[o]);
    }
}

#endif /* !SPLIT_NN_DSP && !SPLIT_NN_MVE */
