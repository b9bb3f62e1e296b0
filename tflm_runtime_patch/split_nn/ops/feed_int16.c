/* SUM_FEED_INT16, DENSE_FEED_INT16: what prepare checks, and what a step does. */
#include <string.h>

#include "../core/machine.h"
#include "checks.h"
#include "int16.h"
#include "ops.h"

split_status split_check_sum_int16(const uint8_t* program, const split_op* op, const split_op_views* views) {
    const split_sum_params* sum = (const split_sum_params*)split_at(program, op->params_offset);
    if (!split_feeds_one_pixel(views, views->output->channel_count) ||
        views->input->channel_count != views->output->channel_count ||
        split_pixel_count(views->input) > SPLIT_MAX_SUMMED_INT16) {
        return SPLIT_ERROR_SHAPE;
    }
    const int sound = (sum->mode == SPLIT_MEAN_AVERAGE_POOL || sum->mode == SPLIT_MEAN_MEAN) && sum->count >= 1 &&
                      split_is_shift(sum->shift) &&
                      split_is_int16_range(sum->output_zero_point, sum->output_zero_point) &&
                      split_is_int16_range(sum->output_min, sum->output_max);
    return sound ? SPLIT_OK : SPLIT_ERROR_PARAMS;
}

split_status split_check_dense_int16(const uint8_t* program, const split_op* op, const split_op_views* views) {
    const split_dense_int16_params* dense = (const split_dense_int16_params*)split_at(program, op->params_offset);
    const uint32_t out = views->output->channel_count;
    if (!split_feeds_one_pixel(views, (uint64_t)out * 2u)) {
        return SPLIT_ERROR_SHAPE;
    }
    const uint64_t weights = split_full_weights(views, split_pixel_count(views->input));
    return split_check_quantized_int16(program, &dense->quantized, dense->flags, weights, out);
}

void split_run_sum_feed_int16(const split_machine* at, const split_op* op, uint32_t row) {
    const split_sum_params* params = (const split_sum_params*)split_at(at->program, op->params_offset);
    const split_view* input = split_view_of(at, op->input);
    const split_pixels in = split_pixels_of(input);
    int32_t* sums = (int32_t*)(void*)split_write_row(at, split_view_of(at, op->accumulator), 0);
    if (row == 0) {
        memset(sums, 0, (size_t)in.channels * sizeof(int32_t));
    }
    split_nn_sum_int16_row(split_read_int16(at, input, row), &in, sums);
    if (row + 1 == input->row_count) {
        const split_sum sum = split_sum_of(params);
        split_nn_sum_int16_finish(&sum, sums, in.channels, split_write_int16(at, op->output, 0));
    }
}

void split_run_dense_feed_int16(const split_machine* at, const split_op* op, uint32_t row) {
    const split_dense_int16_params* params = (const split_dense_int16_params*)split_at(at->program, op->params_offset);
    const split_view* input = split_view_of(at, op->input);
    const split_pixels in = split_pixels_of(input);
    const int32_t outputs = (int32_t)split_view_of(at, op->output)->channel_count;
    const int32_t row_elements = in.columns * in.channels;
    int32_t* sums = (int32_t*)(void*)split_write_row(at, split_view_of(at, op->accumulator), 0);
    const split_dense_int16 dense = {
        split_scaling_int16_of(at->program, &params->quantized, params->flags),
        (const int8_t*)split_at(at->program, params->quantized.weights_offset) + (int32_t)row * row_elements,
        input->row_count * row_elements,
    };
    if (row == 0) {
        memcpy(sums, split_at(at->program, params->quantized.bias_offset), (size_t)outputs * 2u * sizeof(int32_t));
    }
    split_nn_dense_int16_row(&dense, split_read_int16(at, input, row), &in, sums, outputs);
    if (row + 1 == input->row_count) {
        split_nn_dense_int16_finish(&dense, sums, outputs, split_write_int16(at, op->output, 0));
    }
}
