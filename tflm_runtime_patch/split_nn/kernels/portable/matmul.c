/* BATCH_MATMUL: some right pixels at a time. Stack: below 80 bytes. */
#include "../shared_int8.h"
#include "../target.h"

#if !defined(SPLIT_NN_DSP)

void split_nn_matmul_dots(const split_matmul* matmul, const int8_t* left, int32_t depth, const int8_t* const* right,
                          int32_t count, int8_t* output) {
    for (int32_t k = 0; k < count; ++k) {
        const int8_t* values = right[k];
        uint32_t sum = matmul->start;
        for (int32_t i = 0; i < depth; ++i) {
            sum += split_product(left[i] - matmul->left_zero_point, values[i]);
        }
        output[k] = split_to_int8(&matmul->requantization, 0, sum);
    }
}

void split_nn_matmul_add(const split_matmul* matmul, const int8_t* left, const int8_t* const* right, int32_t count,
                         uint32_t* sums, int32_t channels) {
    for (int32_t k = 0; k < count; ++k) {
        const int32_t factor = left[k] - matmul->left_zero_point;
        const int8_t* values = right[k];
        for (int32_t c = 0; c < channels; ++c) {
            sums[c] += split_product(factor, values[c]);
        }
    }
}

void split_nn_matmul_finish(const split_matmul* matmul, const uint32_t* sums, int32_t channels, int8_t* output) {
    for (int32_t c = 0; c < channels; ++c) {
        output[c] = split_to_int8(&matmul->requantization, 0, sums[c]);
    }
}

#endif /* !SPLIT_NN_DSP */
