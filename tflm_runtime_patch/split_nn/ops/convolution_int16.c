/* CONV_INT16, DEPTHWISE_INT16: what prepare checks, and what a step does. */
#include "../core/machine.h"
#include "checks.h"
#include "int16.h"
#include "ops.h"

split_status split_check_convolution_int16(const uint8_t* program, const split_op* op, const split_op_views* views) {
    const split_conv_int16_params* conv = (const split_conv_int16_params*)split_at(program, op->params_offset);
    uint64_t weights = 0;
    const int depthwise = op->kind == SPLIT_OP_DEPTHWISE_INT16;
    const split_status status = split_check_grouped_window(&conv->window, conv->groups, depthwise, views, &weights);
    if (status != SPLIT_OK) {
        return status;
    }
    return split_check_quantized_int16(program, &conv->quantized, conv->flags, weights, views->output->channel_count);
}

void split_run_convolution_int16(const split_machine* at, const split_op* op, uint32_t row) {
    const split_conv_int16_params* params = (const split_conv_int16_params*)split_at(at->program, op->params_offset);
    const split_pixels in = split_pixels_of(split_view_of(at, op->input));
    const split_pixels out = split_pixels_of(split_view_of(at, op->output));
    int16_t* output = split_write_int16(at, op->output, row);
    const int16_t* rows[SPLIT_MAX_WINDOW_ROWS];
    const split_conv_int16 conv = {
        split_window_of(&params->window),
        split_scaling_int16_of(at->program, &params->quantized, params->flags),
        (const int8_t*)split_at(at->program, params->quantized.weights_offset),
        (const int32_t*)split_at(at->program, params->quantized.bias_offset),
        params->groups,
    };
    split_window_rows_int16(at, op, row, rows);
    if (SPLIT_NN_IS(op, SPLIT_OP_CONV_INT16)) {
        split_nn_conv_int16_row(&conv, rows, &in, output, &out);
    } else if (SPLIT_NN_HAS(SPLIT_OP_DEPTHWISE_INT16)) {
        split_nn_depthwise_int16_row(&conv, rows, &in, output, &out);
    }
}
