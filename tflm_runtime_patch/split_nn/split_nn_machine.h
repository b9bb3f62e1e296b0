/* How an op reaches its records, views and rows while a program runs. Trusts what split_nn_prepare() has checked. */
#ifndef SPLIT_NN_MACHINE_H_
#define SPLIT_NN_MACHINE_H_

#include "split_nn.h"
#include "split_nn_kernels.h"
#include "split_nn_program.h"

typedef struct split_machine {
    const uint8_t* program;
    uint8_t* workspace;
} split_machine;

static inline const split_view* split_view_of(const split_machine* at, uint32_t view) {
    return split_view_at(at->program, view);
}

static inline split_pixels split_pixels_of(const split_view* view) {
    split_pixels pixels = {view->column_count, (int32_t)view->channel_count, (int32_t)view->pixel_stride_bytes};
    return pixels;
}

/* Where row `row` of a view starts, in the workspace or, for constants, in the program. */
static inline const uint8_t* split_read_row(const split_machine* at, const split_view* view, uint32_t row) {
    const split_storage* storage = split_storage_at(at->program, view->storage);
    const uint8_t* base = storage->kind == SPLIT_STORAGE_CONSTANT ? at->program : at->workspace;
    return base + split_row_offset(at->program, storage, view->first_row + row) + view->offset_bytes;
}

static inline uint8_t* split_write_row(const split_machine* at, const split_view* view, uint32_t row) {
    const split_storage* storage = split_storage_at(at->program, view->storage);
    return at->workspace + split_row_offset(at->program, storage, view->first_row + row) + view->offset_bytes;
}

static inline split_window split_window_of(const split_window_params* params) {
    split_window window = {params->kernel_rows, params->kernel_columns, params->stride_columns,
                           params->dilation_columns, params->pad_columns};
    return window;
}

static inline void split_window_rows(const split_machine* at, const split_op* op, uint32_t row, const int8_t** rows) {
    const split_window_params* window = (const split_window_params*)split_at(at->program, op->params_offset);
    const split_view* input = split_view_of(at, op->input);
    for (uint32_t k = 0; k < window->kernel_rows; ++k) {
        int32_t read = split_window_row(window, row, k);
        int inside = read >= 0 && read < input->row_count;
        rows[k] = inside ? (const int8_t*)split_read_row(at, input, (uint32_t)read) : NULL;
    }
}

#endif /* SPLIT_NN_MACHINE_H_ */
