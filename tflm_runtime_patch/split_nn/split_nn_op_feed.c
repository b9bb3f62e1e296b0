/* SUM_FEED, DENSE_FEED: what prepare checks, and what a step does. */
#include <string.h>

#include "split_nn_machine.h"
#include "split_nn_op_check.h"
#include "split_nn_ops.h"

static int feeds_one_pixel(const split_op_views* views) {
    return views->output->row_count == 1 && views->output->column_count == 1 &&
           split_same_shape(views->accumulator, views->output);
}

split_status split_check_sum(const uint8_t* program, const split_op* op, const split_op_views* views) {
    const split_sum_params* sum = (const split_sum_params*)split_at(program, op->params_offset);
    if (!feeds_one_pixel(views) || views->input->channel_count != views->output->channel_count ||
        (uint64_t)views->input->row_count * views->input->column_count > SPLIT_MAX_SUMMED) {
        return SPLIT_ERROR_SHAPE;
    }
    const int sound = split_in_range(sum->mode, SPLIT_MEAN_AVERAGE_POOL, SPLIT_MEAN_MAXIMUM) && sum->count >= 1 &&
                      split_is_shift(sum->shift) && split_is_zero_point(sum->output_zero_point) &&
                      split_is_int8_range(sum->output_min, sum->output_max);
    return sound ? SPLIT_OK : SPLIT_ERROR_PARAMS;
}

split_status split_check_dense(const uint8_t* program, const split_op* op, const split_op_views* views) {
    const split_dense_params* dense = (const split_dense_params*)split_at(program, op->params_offset);
    const uint32_t out = views->output->channel_count;
    if (!feeds_one_pixel(views)) {
        return SPLIT_ERROR_SHAPE;
    }
    if (!split_is_zero_point(dense->input_zero_point) || !split_is_zero_point(dense->output_zero_point) ||
        !split_is_int8_range(dense->output_min, dense->output_max) ||
        (dense->flags & ~(uint32_t)SPLIT_WEIGHT_PER_CHANNEL) != 0) {
        return SPLIT_ERROR_PARAMS;
    }
    uint64_t weights_bytes = (uint64_t)views->input->row_count * views->input->column_count;
    weights_bytes = split_capped_product(weights_bytes, views->input->channel_count);
    weights_bytes = split_capped_product(weights_bytes, out);
    if (!split_in_constants(program, dense->weights_offset, weights_bytes, 16u) ||
        !split_in_constants(program, dense->bias_offset, (uint64_t)out * 4u, 4u) ||
        !split_requantization_is_sound(program, dense->multipliers_offset, dense->shifts_offset,
                                       dense->flags & SPLIT_WEIGHT_PER_CHANNEL ? out : 1u)) {
        return SPLIT_ERROR_CONSTANT;
    }
    return SPLIT_OK;
}

/* Rows go one at a time into the largest value of each channel, as int32 in the accumulator. */
static void run_max_feed(const split_machine* at, const split_op* op, uint32_t row) {
    const split_sum_params* params = (const split_sum_params*)split_at(at->program, op->params_offset);
    const split_view* input = split_view_of(at, op->input);
    const split_pixels in = split_pixels_of(input);
    int32_t* largest = (int32_t*)(void*)split_write_row(at, split_view_of(at, op->accumulator), 0);
    for (int32_t c = 0; row == 0 && c < in.channels; ++c) {
        largest[c] = INT8_MIN;
    }
    split_nn_max_feed_row((const int8_t*)split_read_row(at, input, row), &in, largest);
    if (row + 1 == input->row_count) {
        int8_t* output = (int8_t*)split_write_row(at, split_view_of(at, op->output), 0);
        split_nn_max_feed_finish(params->output_min, params->output_max, largest, in.channels, output);
    }
}

void split_run_sum_feed(const split_machine* at, const split_op* op, uint32_t row) {
    const split_sum_params* params = (const split_sum_params*)split_at(at->program, op->params_offset);
    if (params->mode == SPLIT_MEAN_MAXIMUM) {
        run_max_feed(at, op, row);
        return;
    }
    const split_view* input = split_view_of(at, op->input);
    const split_pixels in = split_pixels_of(input);
    int32_t* sums = (int32_t*)(void*)split_write_row(at, split_view_of(at, op->accumulator), 0);
    if (row == 0) {
        memset(sums, 0, (size_t)in.channels * sizeof(int32_t));
    }
    split_nn_sum_row((const int8_t*)split_read_row(at, input, row), &in, sums);
    if (row + 1 == input->row_count) {
        const split_sum sum = {params->mode,       params->count,     params->bias,
                               params->multiplier, params->shift,     params->output_zero_point,
                               params->output_min, params->output_max};
        split_nn_sum_finish(&sum, sums, in.channels, (int8_t*)split_write_row(at, split_view_of(at, op->output), 0));
    }
}

void split_run_dense_feed(const split_machine* at, const split_op* op, uint32_t row) {
    const split_dense_params* params = (const split_dense_params*)split_at(at->program, op->params_offset);
    const split_view* input = split_view_of(at, op->input);
    const split_view* output = split_view_of(at, op->output);
    const split_pixels in = split_pixels_of(input);
    const int32_t outputs = (int32_t)output->channel_count;
    const int32_t row_elements = in.columns * in.channels;
    int32_t* sums = (int32_t*)(void*)split_write_row(at, split_view_of(at, op->accumulator), 0);
    const split_dense dense = {
        {(const int32_t*)split_at(at->program, params->multipliers_offset),
         (const int8_t*)split_at(at->program, params->shifts_offset), params->flags & SPLIT_WEIGHT_PER_CHANNEL ? 1 : 0,
         params->output_zero_point, params->output_min, params->output_max},
        (const int8_t*)split_at(at->program, params->weights_offset) + (int32_t)row * row_elements,
        input->row_count * row_elements,
    };
    if (row == 0) {
        memcpy(sums, split_at(at->program, params->bias_offset), (size_t)outputs * sizeof(int32_t));
    }
    split_nn_dense_row(&dense, (const int8_t*)split_read_row(at, input, row), &in, sums, outputs);
    if (row + 1 == input->row_count) {
        split_nn_dense_finish(&dense, sums, outputs, (int8_t*)split_write_row(at, output, 0));
    }
}
