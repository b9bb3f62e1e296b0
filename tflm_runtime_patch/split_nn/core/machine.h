/* How an op reaches its records, views and rows at run time. Nothing is checked: split_nn_prepare() has done that. */
#ifndef SPLIT_NN_MACHINE_H_
#define SPLIT_NN_MACHINE_H_

#include "../split_nn.h"
#include "../kernels/kernels.h"
#include "program.h"

typedef struct split_machine {
    const uint8_t* program;
    uint8_t* workspace;
    uint8_t* second; /* the state, or the slow memory; NULL if the program has neither */
    uint32_t step;   /* the current one */
} split_machine;

/* The byte at an address: those behind the workspace are in the second memory. */
static inline uint8_t* split_memory_at(const split_machine* at, uint32_t address) {
    const uint32_t workspace_bytes = split_header_of(at->program)->workspace_bytes;
    if (SPLIT_NN_HAS(SPLIT_STATE_BIT) && at->second != NULL && address >= workspace_bytes) {
        return at->second + (address - workspace_bytes);
    }
    return at->workspace + address;
}

static inline const split_view* split_view_of(const split_machine* at, uint32_t view) {
    return split_view_at(at->program, view);
}

static inline split_pixels split_pixels_of(const split_view* view) {
    split_pixels pixels = {view->column_count, (int32_t)view->channel_count, (int32_t)view->pixel_stride_bytes};
    return pixels;
}

/* The start of row `row` of a view: in the program for a constant, otherwise in the workspace or the second memory. */
static inline const uint8_t* split_read_row(const split_machine* at, const split_view* view, uint32_t row) {
    const split_storage* storage = split_storage_at(at->program, view->storage);
    const uint32_t address = split_row_address(at->program, view->storage, view->first_row + row, at->step);
    const uint8_t* start =
        storage->kind == SPLIT_STORAGE_CONSTANT ? at->program + address : split_memory_at(at, address);
    return start + view->offset_bytes;
}

static inline uint8_t* split_write_row(const split_machine* at, const split_view* view, uint32_t row) {
    const uint32_t address = split_row_address(at->program, view->storage, view->first_row + row, at->step);
    return split_memory_at(at, address) + view->offset_bytes;
}

/* The start of row `row` of a view, or NULL if there is no such row. */
static inline const uint8_t* split_row_inside(const split_machine* at, const split_view* view, int32_t row) {
    return row >= 0 && row < view->row_count ? split_read_row(at, view, (uint32_t)row) : NULL;
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
        rows[k] = (const int8_t*)split_row_inside(at, input, split_window_row(window, row, k));
    }
}

static inline split_requantization split_requantization_of(const split_machine* at, const split_quantized_params* from,
                                                           uint32_t flags) {
    split_requantization to = {
        (const int32_t*)split_at(at->program, from->multipliers_offset),
        (const int8_t*)split_at(at->program, from->shifts_offset),
        flags & SPLIT_WEIGHT_PER_CHANNEL ? 1 : 0,
        from->output_zero_point,
        from->output_min,
        from->output_max,
    };
    return to;
}

/* Fills in `conv` field by field. Returning a struct would cost the caller more stack. */
static inline void split_set_conv(const split_machine* at, split_window window, const split_quantized_params* from,
                                  uint32_t flags, int32_t groups, split_conv* conv) {
    conv->window = window;
    conv->requantization = split_requantization_of(at, from, flags);
    conv->weights = (const int8_t*)split_at(at->program, from->weights_offset);
    conv->bias = (const int32_t*)split_at(at->program, from->bias_offset);
    conv->input_zero_point = from->input_zero_point;
    conv->groups = groups;
}

static inline split_sum split_sum_of(const split_sum_params* from) {
    split_sum sum = {from->mode,       from->count,     from->bias,
                     from->multiplier, from->shift,     from->output_zero_point,
                     from->output_min, from->output_max};
    return sum;
}

#endif /* SPLIT_NN_MACHINE_H_ */
