/* TRANSPOSE: what prepare checks, and what a step does. */
#include "../core/machine.h"
#include "checks.h"
#include "ops.h"

static uint32_t size_along(const split_view* view, uint32_t axis) {
    return axis == 0 ? view->row_count : axis == 1 ? view->column_count : view->channel_count;
}

split_status split_check_transpose(const uint8_t* program, const split_op* op, const split_op_views* views) {
    const split_transpose_params* axes = (const split_transpose_params*)split_at(program, op->params_offset);
    const split_view* in = views->input;
    const split_view* out = views->output;
    const int each_once = axes->row_axis < 3 && axes->column_axis < 3 && axes->channel_axis < 3 &&
                          axes->row_axis != axes->column_axis && axes->row_axis != axes->channel_axis &&
                          axes->column_axis != axes->channel_axis;
    if (!each_once) {
        return SPLIT_ERROR_PARAMS;
    }
    const int same_sizes = out->row_count == size_along(in, axes->row_axis) &&
                           out->column_count == size_along(in, axes->column_axis) &&
                           out->channel_count == size_along(in, axes->channel_axis);
    if (!same_sizes) {
        return SPLIT_ERROR_SHAPE;
    }
    /* If rows do not stay rows, each step reads all of them. */
    return axes->row_axis == 0 || split_rows_have_addresses(program, in) ? SPLIT_OK : SPLIT_ERROR_ROW;
}

/* Bytes from one element to the next along an axis within a row. */
static int32_t step_along(const split_pixels* pixels, uint32_t axis) {
    return axis == 1 ? pixels->stride : 1;
}

void split_run_transpose(const split_machine* at, const split_op* op, uint32_t row) {
    const split_transpose_params* axes = (const split_transpose_params*)split_at(at->program, op->params_offset);
    const split_view* output = split_view_of(at, op->output);
    const split_view* input = split_view_of(at, op->input);
    const split_pixels in = split_pixels_of(input);
    const split_pixels out = split_pixels_of(output);
    int8_t* written = (int8_t*)split_write_row(at, output, row);
    if (axes->row_axis == 0) { /* rows stay rows; columns and channels may be swapped */
        const int8_t* read = (const int8_t*)split_read_row(at, input, row);
        for (int32_t x = 0; x < out.columns; ++x) {
            split_nn_transpose_line(read + x * step_along(&in, axes->column_axis), step_along(&in, axes->channel_axis),
                                    written + x * out.stride, 1, out.channels);
        }
        return;
    }
    /* Each input row becomes one line of the output row, along its channels or along its columns. */
    const int rows_are_columns = axes->column_axis == 0;
    const int32_t from = (int32_t)row * step_along(&in, axes->row_axis);
    for (uint32_t k = 0; k < input->row_count; ++k) {
        const int8_t* read = (const int8_t*)split_read_row(at, input, k) + from;
        if (rows_are_columns) {
            split_nn_transpose_line(read, step_along(&in, axes->channel_axis), written + (int32_t)k * out.stride, 1,
                                    out.channels);
        } else {
            split_nn_transpose_line(read, step_along(&in, axes->column_axis), written + k, out.stride, out.columns);
        }
    }
}

/* If rows stay rows, a step reads the row of the same number. The other rows have been looked at once. */
int split_reads_lines(const uint8_t* program, const split_op* op, uint32_t row) {
    const split_transpose_params* axes = (const split_transpose_params*)split_at(program, op->params_offset);
    return axes->row_axis != 0 || split_has_address(program, op->input, row);
}
