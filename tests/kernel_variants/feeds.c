#include <stddef.h>

#include "variants.h"

int case_sum(void) {
    const int32_t channels = random_one_in(2) ? random_between(1, 12) : RANDOM_OF(15, 16, 17, 32, 33);
    split_pixels in = {random_one_in(8) ? random_between(250, 530) : random_between(1, 20), channels, channels};
    in.stride += RANDOM_OF(0, 0, 1, 3);
    const int32_t input = memory_place(in.columns * in.stride, 0);
    const int32_t sums = memory_place(channels * 4, 1), output = memory_place(channels, 0);
    if (input < 0 || sums < 0 || output < 0) {
        return -1;
    }
    memory_write_random(input, in.columns * in.stride);
    for (int32_t c = 0; c < channels; ++c) {
        const int32_t sum = random_one_in(4) ? random_int32() : random_between(-100000, 100000);
        memory_write(sums + 4 * c, &sum, 4);
    }
    split_sum finish = {.mode = random_between(0, 1),
                        .count = random_one_in(4) ? random_between(1, 1 << 23) : random_between(1, 3000),
                        .bias = random_one_in(4) ? random_int32() : random_between(-100000, 100000),
                        .multiplier = random_multiplier(),
                        .shift = random_shift(),
                        .zero_point = random_between(-128, 127)};
    random_range(&finish.min, &finish.max);
    int8_t* constant = memory_constant((in.columns - 1) * in.stride + channels, 1);
    random_int8s(constant, (in.columns - 1) * in.stride + channels);
    const int is_constant = random_one_in(3);
    portable_sum_row(is_constant ? constant : memory_at(PORTABLE, input), &in, memory_at(PORTABLE, sums));
    split_nn_sum_row(is_constant ? constant : memory_at(VARIANT, input), &in, memory_at(VARIANT, sums));
    portable_sum_finish(&finish, memory_at(PORTABLE, sums), channels, memory_at(PORTABLE, output));
    split_nn_sum_finish(&finish, memory_at(VARIANT, sums), channels, memory_at(VARIANT, output));
    return memory_is_equal();
}

int case_dense(void) {
    const int32_t outputs = random_one_in(2) ? random_between(1, 8) : RANDOM_OF(12, 16, 31, 33);
    const int32_t channels = random_between(1, 40);
    split_pixels in = {random_between(1, 6), channels, channels + RANDOM_OF(0, 0, 0, 1, 3)};
    split_dense dense;
    const int32_t row_elements = in.columns * in.channels;
    dense.weights_step = row_elements * random_between(1, 3);
    const int32_t weights_bytes = (outputs - 1) * dense.weights_step + row_elements;
    int8_t* weights = memory_constant(weights_bytes, 1);
    const int32_t input = memory_place(in.columns * in.stride, 0);
    const int32_t sums = memory_place(outputs * 4, 1), output = memory_place(outputs, 0);
    if (weights == NULL || input < 0 || sums < 0 || output < 0 ||
        !draw_requantization(&dense.requantization, outputs)) {
        return -1;
    }
    random_int8s(weights, weights_bytes);
    dense.weights = weights;
    portable_dense_row(&dense, memory_at(PORTABLE, input), &in, memory_at(PORTABLE, sums), outputs);
    split_nn_dense_row(&dense, memory_at(VARIANT, input), &in, memory_at(VARIANT, sums), outputs);
    portable_dense_finish(&dense, memory_at(PORTABLE, sums), outputs, memory_at(PORTABLE, output));
    split_nn_dense_finish(&dense, memory_at(VARIANT, sums), outputs, memory_at(VARIANT, output));
    return memory_is_equal();
}

/* The last step alone, on sums that no network has. */
int case_requantization(void) {
    enum { OUTPUTS = 61 };
    split_dense dense = {0};
    const int32_t sums = memory_place(OUTPUTS * 4, 1), output = memory_place(OUTPUTS, 0);
    if (!draw_requantization(&dense.requantization, OUTPUTS)) {
        return -1;
    }
    for (int32_t i = 0; i < OUTPUTS; ++i) {
        const int32_t sum = random_int32();
        memory_write(sums + 4 * i, &sum, 4);
    }
    portable_dense_finish(&dense, memory_at(PORTABLE, sums), OUTPUTS, memory_at(PORTABLE, output));
    split_nn_dense_finish(&dense, memory_at(VARIANT, sums), OUTPUTS, memory_at(VARIANT, output));
    return memory_is_equal();
}
