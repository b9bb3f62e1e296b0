/* How the kinds for int16 activations reach rows and scalings. */
#ifndef SPLIT_NN_OPS_INT16_H_
#define SPLIT_NN_OPS_INT16_H_

#include "../core/machine.h"
#include "../kernels/kernels_int16.h"

static inline split_scaling_int16 split_scaling_int16_of(const uint8_t* program,
                                                         const split_quantized_int16_params* quantized,
                                                         uint32_t flags) {
    split_scaling_int16 scaling = {
        (const int32_t*)split_at(program, quantized->multipliers_offset),
        (const int8_t*)split_at(program, quantized->shifts_offset),
        flags & SPLIT_WEIGHT_PER_CHANNEL ? 1 : 0,
        flags & SPLIT_WEIGHT_SUMS_32 ? 1 : 0,
        quantized->output_min,
        quantized->output_max,
    };
    return scaling;
}

static inline const int16_t* split_read_int16(const split_machine* at, const split_view* view, uint32_t row) {
    return (const int16_t*)(const void*)split_read_row(at, view, row);
}

static inline int16_t* split_write_int16(const split_machine* at, uint32_t view, uint32_t row) {
    return (int16_t*)(void*)split_write_row(at, split_view_of(at, view), row);
}

static inline void split_window_rows_int16(const split_machine* at, const split_op* op, uint32_t row,
                                           const int16_t** rows) {
    const split_window_params* window = (const split_window_params*)split_at(at->program, op->params_offset);
    const split_view* input = split_view_of(at, op->input);
    for (uint32_t k = 0; k < window->kernel_rows; ++k) {
        rows[k] = (const int16_t*)(const void*)split_row_inside(at, input, split_window_row(window, row, k));
    }
}

#endif /* SPLIT_NN_OPS_INT16_H_ */
