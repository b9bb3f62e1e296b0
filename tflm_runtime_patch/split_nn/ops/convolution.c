/* CONV, DEPTHWISE: what prepare checks, and what a step does. */
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
