/* CONV_FLOAT, DEPTHWISE_FLOAT: what prepare checks, and what a step does. */
#include "../core/machine.h"
#include "checks.h"
#include "float32.h"
#include "ops.h"

split_status split_check_convolution_float(const uint8_t* program, const split_op* op, const split_op_views* views) {
    const split_conv_float_params* conv = (const split_conv_float_params*)split_at(program, op->params_offset);
    uint64_t weights = 0;
    const int depthwise = op->kind == SPLIT_OP_DEPTHWISE_FLOAT;
    const split_status status = split_check_grouped_window(&conv->window, conv->groups, depthwise, views, &weights);
    if (status != SPLIT_OK) {
        return status;
    }
    if (!split_are_limits(conv->output_min, conv->output_max) || conv->flags != 0) {
        return SPLIT_ERROR_PARAMS;
    }
    const int sound = split_in_constants(program, conv->weights_offset, split_capped_product(weights, 4u), 16u) &&
                      split_in_constants(program, conv->bias_offset, (uint64_t)views->output->channel_count * 4u, 4u);
    return sound ? SPLIT_OK : SPLIT_ERROR_CONSTANT;
}

void split_run_convolution_float(const split_machine* at, const split_op* op, uint32_t row) {
    const split_conv_float_params* params = (const split_conv_float_params*)split_at(at->program, op->params_offset);
    const split_pixels in = split_pixels_of(split_view_of(at, op->input));
    const split_pixels out = split_pixels_of(split_view_of(at, op->output));
    float* output = split_write_float(at, op->output, row);
    const float* rows[SPLIT_MAX_WINDOW_ROWS];
    const split_conv_float conv = {
        split_window_of(&params->window),
        {params->output_min, params->output_max},
        (const float*)split_at(at->program, params->weights_offset),
        (const float*)split_at(at->program, params->bias_offset),
        params->groups,
    };
    split_window_rows_float(at, op, row, rows);
    if (SPLIT_NN_IS(op, SPLIT_OP_CONV_FLOAT)) {
        split_nn_conv_float_row(&conv, rows, &in, output, &out);
    } else if (SPLIT_NN_HAS(SPLIT_OP_DEPTHWISE_FLOAT)) {
        split_nn_depthwise_float_row(&conv, rows, &in, output, &out);
    }
}
