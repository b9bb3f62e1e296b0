/* TRANSPOSE_CONV, TRANSPOSE_CONV_INT16: what prepare checks, and what a step does. */
#include "int16.h"
#include "ops.h"

/* Is the window neither empty nor too tall for the stack? */
static int window_is_sound(const split_transposed_window_params* window) {
    return split_in_range(window->kernel_rows, 1, SPLIT_MAX_WINDOW_ROWS) && window->kernel_columns >= 1 &&
           window->stride_rows >= 1 && window->stride_columns >= 1;
}

static uint64_t weights_of(const split_transposed_window_params* window, const split_op_views* views) {
    return split_full_weights(views, (uint64_t)window->kernel_rows * window->kernel_columns);
}

split_status split_check_transpose_conv(const uint8_t* program, const split_op* op, const split_op_views* views) {
    const split_transpose_conv_params* conv = (const split_transpose_conv_params*)split_at(program, op->params_offset);
    if (!window_is_sound(&conv->window)) {
        return SPLIT_ERROR_WINDOW;
    }
    return split_check_quantized(program, &conv->quantized, conv->flags, SPLIT_WEIGHT_PER_CHANNEL,
                                 weights_of(&conv->window, views), views->output->channel_count);
}

split_status split_check_transpose_conv_int16(const uint8_t* program, const split_op* op, const split_op_views* views) {
    const split_transpose_conv_int16_params* conv =
        (const split_transpose_conv_int16_params*)split_at(program, op->params_offset);
    if (!window_is_sound(&conv->window)) {
        return SPLIT_ERROR_WINDOW;
    }
    return split_check_quantized_int16(program, &conv->quantized, conv->flags, weights_of(&conv->window, views),
                                       views->output->channel_count);
}

int split_reads_transposed_window(const uint8_t* program, const split_op* op, uint32_t row) {
    const split_transposed_window_params* window =
        (const split_transposed_window_params*)split_at(program, op->params_offset);
    for (uint32_t k = 0; k < window->kernel_rows; ++k) {
        if (!split_tap_has_address(program, op->input, split_transposed_row(window, row, k))) {
            return 0;
        }
    }
    return 1;
}

static split_window window_of(const split_transposed_window_params* from) {
    split_window window = {from->kernel_rows, from->kernel_columns, from->stride_columns, 1, from->pad_columns};
    return window;
}

void split_run_transpose_conv(const split_machine* at, const split_op* op, uint32_t row) {
    const split_transpose_conv_params* params =
        (const split_transpose_conv_params*)split_at(at->program, op->params_offset);
    const split_view* output = split_view_of(at, op->output);
    const split_view* input = split_view_of(at, op->input);
    const split_pixels in = split_pixels_of(input);
    const split_pixels out = split_pixels_of(output);
    const int8_t* rows[SPLIT_MAX_WINDOW_ROWS];
    split_conv conv;
    split_set_conv(at, window_of(&params->window), &params->quantized, params->flags, 1, &conv);
    for (uint32_t k = 0; k < params->window.kernel_rows; ++k) {
        rows[k] = (const int8_t*)split_row_inside(at, input, split_transposed_row(&params->window, row, k));
    }
    split_nn_transpose_conv_row(&conv, rows, &in, (int8_t*)split_write_row(at, output, row), &out);
}

void split_run_transpose_conv_int16(const split_machine* at, const split_op* op, uint32_t row) {
    const split_transpose_conv_int16_params* params =
        (const split_transpose_conv_int16_params*)split_at(at->program, op->params_offset);
    const split_view* input = split_view_of(at, op->input);
    const split_pixels in = split_pixels_of(input);
    const split_pixels out = split_pixels_of(split_view_of(at, op->output));
    const int16_t* rows[SPLIT_MAX_WINDOW_ROWS];
    const split_conv_int16 conv = {
        window_of(&params->window),
        split_scaling_int16_of(at->program, &params->quantized, params->flags),
        (const int8_t*)split_at(at->program, params->quantized.weights_offset),
        (const int32_t*)split_at(at->program, params->quantized.bias_offset),
        1,
    };
    for (uint32_t k = 0; k < params->window.kernel_rows; ++k) {
        const int32_t tap = split_transposed_row(&params->window, row, k);
        rows[k] = (const int16_t*)(const void*)split_row_inside(at, input, tap);
    }
    split_nn_transpose_conv_int16_row(&conv, rows, &in, split_write_int16(at, op->output, row), &out);
}
