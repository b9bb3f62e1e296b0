/* How the float kinds check limits and reach rows. */
#ifndef SPLIT_NN_OPS_FLOAT32_H_
#define SPLIT_NN_OPS_FLOAT32_H_

#include "../core/machine.h"
#include "../kernels/kernels_float.h"

/* NaN fails the comparison. Infinities are allowed. */
static inline int split_are_limits(float low, float high) {
    return low <= high;
}

static inline const float* split_read_float(const split_machine* at, const split_view* view, uint32_t row) {
    return (const float*)(const void*)split_read_row(at, view, row);
}

static inline float* split_write_float(const split_machine* at, uint32_t view, uint32_t row) {
    return (float*)(void*)split_write_row(at, split_view_of(at, view), row);
}

static inline void split_window_rows_float(const split_machine* at, const split_op* op, uint32_t row,
                                           const float** rows) {
    const split_window_params* window = (const split_window_params*)split_at(at->program, op->params_offset);
    const split_view* input = split_view_of(at, op->input);
    for (uint32_t k = 0; k < window->kernel_rows; ++k) {
        rows[k] = (const float*)(const void*)split_row_inside(at, input, split_window_row(window, row, k));
    }
}

#endif /* SPLIT_NN_OPS_FLOAT32_H_ */
