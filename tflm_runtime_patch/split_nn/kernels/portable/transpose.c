/* TRANSPOSE: copies the elements of one line to other strides. Stack: below 40 bytes. */
#include "../kernels.h"

void split_nn_transpose_line(const int8_t* input, int32_t input_step, int8_t* output, int32_t output_step,
                             int32_t count) {
    for (int32_t i = 0; i < count; ++i) {
        output[i * output_step] = input[i * input_step];
    }
}
