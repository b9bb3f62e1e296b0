/* SUM_FEED_FLOAT, DENSE_FEED_FLOAT: what prepare checks, and what a step does. */
#include <string.h>

#include "../core/machine.h"
#include "checks.h"
#include "float32.h"
#include "ops.h"

split_status split_check_sum_float(const uint8_t* program, const split_op* op, const split_op_views* views) {
    const split_sum_float_params* sum = (const split_sum_float_params*)split_at(program, op->params_offset);
    if (!split_feeds_one_pixel(views, views->output->channel_count) ||
        views->input->channel_count != views->output->channel_count) {
        return SPLIT_ERROR_SHAPE;
    }
    return sum->count >= 1.0f && split_are_limits(sum->output_min, sum->output_max) ? SPLIT_OK : SPLIT_ERROR_PARAMS;
}

split_status split_check_dense_float(const uint8_t* program, const split_op* op, const split_op_views* views) {
    const split_dense_float_params* dense = (const split_dense_float_params*)split_at(program, op->params_offset);
    const uint32_t out = views->output->channel_count;
    if (!split_feeds_one_pixel(views, out)) {
        return SPLIT_ERROR_SHAPE;
    }
    if (!split_are_limits(dense->output_min, dense->output_max)) {
        return SPLIT_ERROR_PARAMS;
    }
    const uint64_t weights = split_full_weights(views, split_pixel_count(views->input));
    const int sound = split_in_constants(program, dense->weights_offset, split_capped_product(weights, 4u), 16u) &&
                      split_in_constants(program, dense->bias_offset, (uint64_t)out * 4u, 4u);
    return sound ? SPLIT_OK : SPLIT_ERROR_CONSTANT;
}

/* The accumulator. It is cleared before the first row is added. */
static float* sums_of(const split_machine* at, const split_op* op, uint32_t row) {
    float* sums = split_write_float(at, op->accumulator, 0);
    if (row == 0) {
        memset(sums, 0, (size_t)split_view_of(at, op->output)->channel_count * sizeof(float));
    }
    return sums;
}

void split_run_sum_feed_float(const split_machine* at, const split_op* op, uint32_t row) {
    const split_sum_float_params* params = (const split_sum_float_params*)split_at(at->program, op->params_offset);
    const split_view* input = split_view_of(at, op->input);
    const split_pixels in = split_pixels_of(input);
    float* sums = sums_of(at, op, row);
    split_nn_sum_float_row(split_read_float(at, input, row), &in, sums);
    if (row + 1 == input->row_count) {
        const split_limits limits = {params->output_min, params->output_max};
        split_nn_sum_float_finish(&limits, params->count, sums, in.channels, split_write_float(at, op->output, 0));
    }
}

void split_run_dense_feed_float(const split_machine* at, const split_op* op, uint32_t row) {
    const split_dense_float_params* params = (const split_dense_float_params*)split_at(at->program, op->params_offset);
    const split_view* input = split_view_of(at, op->input);
    const split_pixels in = split_pixels_of(input);
    const int32_t outputs = (int32_t)split_view_of(at, op->output)->channel_count;
    const int32_t row_elements = in.columns * in.channels;
    const float* weights = (const float*)split_at(at->program, params->weights_offset);
    const split_dense_float dense = {weights + (int32_t)row * row_elements, input->row_count * row_elements};
    float* sums = sums_of(at, op, row);
    split_nn_dense_float_row(&dense, split_read_float(at, input, row), &in, sums, outputs);
    if (row + 1 == input->row_count) {
        const split_limits limits = {params->output_min, params->output_max};
        const float* bias = (const float*)split_at(at->program, params->bias_offset);
        split_nn_dense_float_finish(&limits, bias, sums, outputs, split_write_float(at, op->output, 0));
    }
}
