/* CONV, DEPTHWISE, TRANSPOSE_CONV: what prepare checks, and what a step does. */
#include "split_nn_machine.h"
#include "split_nn_op_check.h"
#include "split_nn_ops.h"

split_status split_check_convolution(const uint8_t* program, const split_op* op, const split_op_views* views) {
    const split_conv_params* conv = (const split_conv_params*)split_at(program, op->params_offset);
    const uint32_t in = views->input->channel_count;
    const uint32_t out = views->output->channel_count;
    split_status status = split_check_window((const split_window_params*)(const void*)conv, views);
    if (status != SPLIT_OK) {
        return status;
    }
    uint64_t weights_bytes = split_capped_product((uint64_t)conv->kernel_rows * conv->kernel_columns, out);
    if (conv->groups == 0) {
        return SPLIT_ERROR_PARAMS;
    }
    if (op->kind == SPLIT_OP_DEPTHWISE) {
        if (out % conv->groups != 0 || out / conv->groups != in) {
            return SPLIT_ERROR_SHAPE;
        }
    } else {
        if (in % conv->groups != 0 || out % conv->groups != 0) {
            return SPLIT_ERROR_SHAPE;
        }
        weights_bytes = split_capped_product(weights_bytes, in / conv->groups);
    }
    if (!split_is_zero_point(conv->input_zero_point) || !split_is_zero_point(conv->output_zero_point) ||
        !split_is_int8_range(conv->output_min, conv->output_max) || (conv->flags & ~SPLIT_WEIGHT_PER_CHANNEL) != 0) {
        return SPLIT_ERROR_PARAMS;
    }
    if (!split_in_constants(program, conv->weights_offset, weights_bytes, 16u) ||
        !split_in_constants(program, conv->bias_offset, (uint64_t)out * 4u, 4u) ||
        !split_requantization_is_sound(program, conv->multipliers_offset, conv->shifts_offset,
                                       conv->flags & SPLIT_WEIGHT_PER_CHANNEL ? out : 1u)) {
        return SPLIT_ERROR_CONSTANT;
    }
    return SPLIT_OK;
}

split_status split_check_transpose_conv(const uint8_t* program, const split_op* op, const split_op_views* views) {
    const split_transpose_conv_params* conv = (const split_transpose_conv_params*)split_at(program, op->params_offset);
    const uint32_t out = views->output->channel_count;
    if (!split_in_range(conv->kernel_rows, 1, SPLIT_MAX_WINDOW_ROWS) || conv->kernel_columns < 1 ||
        conv->stride_rows < 1 || conv->stride_columns < 1) {
        return SPLIT_ERROR_WINDOW;
    }
    if (!split_is_zero_point(conv->input_zero_point) || !split_is_zero_point(conv->output_zero_point) ||
        !split_is_int8_range(conv->output_min, conv->output_max) ||
        (conv->flags & ~(uint32_t)SPLIT_WEIGHT_PER_CHANNEL) != 0) {
        return SPLIT_ERROR_PARAMS;
    }
    uint64_t weights_bytes = split_capped_product((uint64_t)conv->kernel_rows * conv->kernel_columns, out);
    weights_bytes = split_capped_product(weights_bytes, views->input->channel_count);
    if (!split_in_constants(program, conv->weights_offset, weights_bytes, 16u) ||
        !split_in_constants(program, conv->bias_offset, (uint64_t)out * 4u, 4u) ||
        !split_requantization_is_sound(program, conv->multipliers_offset, conv->shifts_offset,
                                       conv->flags & SPLIT_WEIGHT_PER_CHANNEL ? out : 1u)) {
        return SPLIT_ERROR_CONSTANT;
    }
    return SPLIT_OK;
}

void split_run_convolution(const split_machine* at, const split_op* op, uint32_t row) {
    const split_conv_params* params = (const split_conv_params*)split_at(at->program, op->params_offset);
    const split_view* output = split_view_of(at, op->output);
    const split_pixels in = split_pixels_of(split_view_of(at, op->input));
    const split_pixels out = split_pixels_of(output);
    const int8_t* rows[SPLIT_MAX_WINDOW_ROWS];
    const split_conv conv = {
        split_window_of((const split_window_params*)(const void*)params),
        {(const int32_t*)split_at(at->program, params->multipliers_offset),
         (const int8_t*)split_at(at->program, params->shifts_offset), params->flags & SPLIT_WEIGHT_PER_CHANNEL ? 1 : 0,
         params->output_zero_point, params->output_min, params->output_max},
        (const int8_t*)split_at(at->program, params->weights_offset),
        (const int32_t*)split_at(at->program, params->bias_offset),
        params->input_zero_point,
        params->groups,
    };
    split_window_rows(at, op, row, rows);
    if (op->kind == SPLIT_OP_CONV) {
        split_nn_conv_row(&conv, rows, &in, (int8_t*)split_write_row(at, output, row), &out);
    } else {
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
    const split_conv conv = {
        {params->kernel_rows, params->kernel_columns, params->stride_columns, 1, params->pad_columns},
        {(const int32_t*)split_at(at->program, params->multipliers_offset),
         (const int8_t*)split_at(at->program, params->shifts_offset), params->flags & SPLIT_WEIGHT_PER_CHANNEL ? 1 : 0,
         params->output_zero_point, params->output_min, params->output_max},
        (const int8_t*)split_at(at->program, params->weights_offset),
        (const int32_t*)split_at(at->program, params->bias_offset),
        params->input_zero_point,
        1,
    };
    for (uint32_t k = 0; k < params->kernel_rows; ++k) {
        int32_t read = split_transposed_row(params, row, k);
        int inside = read >= 0 && read < input->row_count;
        rows[k] = inside ? (const int8_t*)split_read_row(at, input, (uint32_t)read) : NULL;
    }
    split_nn_transpose_conv_row(&conv, rows, &in, (int8_t*)split_write_row(at, output, row), &out);
}
