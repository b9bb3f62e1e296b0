/* CONV, DEPTHWISE, TRANSPOSE_CONV: what prepare checks, and what a step does. */
#include "../core/machine.h"
#include "checks.h"
#include "ops.h"

split_status split_check_convolution(const uint8_t* program, const split_op* op, const split_op_views* views) {
    const split_conv_params* conv = (const split_conv_params*)split_at(program, op->params_offset);
    const int depthwise = op->kind == SPLIT_OP_DEPTHWISE;
    uint64_t weights = 0;
    const split_status status = split_check_grouped_window(&conv->window, conv->groups, depthwise, views, &weights);
    if (status != SPLIT_OK) {
        return status;
    }
    return split_check_quantized(program, &conv->quantized, conv->flags, SPLIT_WEIGHT_PER_CHANNEL, weights,
                                 views->output->channel_count);
}

split_status split_check_transpose_conv(const uint8_t* program, const split_op* op, const split_op_views* views) {
    const split_transpose_conv_params* conv = (const split_transpose_conv_params*)split_at(program, op->params_offset);
    if (!split_in_range(conv->kernel_rows, 1, SPLIT_MAX_WINDOW_ROWS) || conv->kernel_columns < 1 ||
        conv->stride_rows < 1 || conv->stride_columns < 1) {
        return SPLIT_ERROR_WINDOW;
    }
    const uint64_t weights = split_full_weights(views, (uint64_t)conv->kernel_rows * conv->kernel_columns);
    return split_check_quantized(program, &conv->quantized, conv->flags, SPLIT_WEIGHT_PER_CHANNEL, weights,
                                 views->output->channel_count);
}

void split_run_convolution(const split_machine* at, const split_op* op, uint32_t row) {
    const split_conv_params* params = (const split_conv_params*)split_at(at->program, op->params_offset);
    const split_view* output = split_view_of(at, op->output);
    const split_pixels in = split_pixels_of(split_view_of(at, op->input));
    const split_pixels out = split_pixels_of(output);
    const int8_t* rows[SPLIT_MAX_WINDOW_ROWS];
    split_conv conv;
    split_set_conv(at, split_window_of(&params->window), &params->quantized, params->flags, params->groups, &conv);
    split_window_rows(at, op, row, rows);
    if (SPLIT_NN_IS(op, SPLIT_OP_CONV)) {
        split_nn_conv_row(&conv, rows, &in, (int8_t*)split_write_row(at, output, row), &out);
    } else if (SPLIT_NN_HAS(SPLIT_OP_DEPTHWISE)) {
        split_nn_depthwise_row(&conv, rows, &in, (int8_t*)split_write_row(at, output, row), &out);
    }
}

void split_run_transpose_conv(const split_machine* at, const split_op* op, uint32_t row) {
    const split_transpose_conv_params* params =
        (const split_transpose_conv_params*)split_at(at->program, op->params_offset);
    const split_view* output = split_view_of(at, op->output);
    const split_view* input = split_view_of(at, op->input);
    const split_pixels in = split_pixels_of(input);
    const split_pixels out = split_pixels_of(output);
    const int8_t* rows[SPLIT_MAX_WINDOW_ROWS];
    const split_window window = {params->kernel_rows, params->kernel_columns, params->stride_columns, 1,
                                 params->pad_columns};
    split_conv conv;
    split_set_conv(at, window, &params->quantized, params->flags, 1, &conv);
    for (uint32_t k = 0; k < params->kernel_rows; ++k) {
        rows[k] = (const int8_t*)split_row_inside(at, input, split_transposed_row(params, row, k));
    }
    split_nn_transpose_conv_row(&conv, rows, &in, (int8_t*)split_write_row(at, output, row), &out);
}

int split_reads_transposed_window(const uint8_t* program, const split_op* op, uint32_t row) {
    const split_transpose_conv_params* window =
        (const split_transpose_conv_params*)split_at(program, op->params_offset);
    for (uint32_t k = 0; k < window->kernel_rows; ++k) {
        if (!split_tap_has_address(program, op->input, split_transposed_row(window, row, k))) {
            return 0;
        }
    }
    return 1;
}
