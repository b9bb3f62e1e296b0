/* CONV_SUM, CONV_SUM_LAST: what prepare checks, and what a step does. */
#include <string.h>

#include "../core/machine.h"
#include "checks.h"
#include "ops.h"

split_status split_check_conv_sum(const uint8_t* program, const split_op* op, const split_op_views* views) {
    const split_conv_params* conv = (const split_conv_params*)split_at(program, op->params_offset);
    const split_view* sums = views->accumulator;
    const uint32_t out = views->output->channel_count;
    const int last = op->kind == SPLIT_OP_CONV_SUM_LAST;
    const uint32_t known_flags = SPLIT_WEIGHT_PER_CHANNEL | (last ? 0u : (uint32_t)SPLIT_WEIGHT_FIRST);
    const split_status status = split_check_window(&conv->window, views);
    if (status != SPLIT_OK) {
        return status;
    }
    if (!split_same_shape(sums, views->output) || sums->pixel_stride_bytes != (uint64_t)out * sizeof(int32_t) ||
        (!last && op->output != op->accumulator)) {
        return SPLIT_ERROR_SHAPE;
    }
    if (conv->groups != 1) {
        return SPLIT_ERROR_PARAMS;
    }
    const uint64_t positions = (uint64_t)conv->window.kernel_rows * conv->window.kernel_columns;
    return split_check_quantized(program, &conv->quantized, conv->flags, known_flags,
                                 split_full_weights(views, positions), out);
}

void split_run_conv_sum(const split_machine* at, const split_op* op, uint32_t row) {
    const split_conv_params* params = (const split_conv_params*)split_at(at->program, op->params_offset);
    const split_view* output = split_view_of(at, op->output);
    const split_pixels in = split_pixels_of(split_view_of(at, op->input));
    const split_pixels out = split_pixels_of(output);
    int32_t* sums = (int32_t*)(void*)split_write_row(at, split_view_of(at, op->accumulator), row);
    const int8_t* rows[SPLIT_MAX_WINDOW_ROWS];
    split_conv conv;
    split_set_conv(at, split_window_of(&params->window), &params->quantized, params->flags, 1, &conv);
    for (int32_t x = 0; params->flags & SPLIT_WEIGHT_FIRST && x < out.columns; ++x) {
        memcpy(sums + x * out.channels, conv.bias, (size_t)out.channels * sizeof(int32_t));
    }
    split_window_rows(at, op, row, rows);
    split_nn_conv_sum_row(&conv, rows, &in, sums, &out);
    if (SPLIT_NN_IS(op, SPLIT_OP_CONV_SUM_LAST)) {
        split_nn_conv_sum_finish(&conv.requantization, sums, (int8_t*)split_write_row(at, output, row), &out);
    }
}
