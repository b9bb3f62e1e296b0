/* SUM_FEED, DENSE_FEED: what prepare checks, and what a step does. */
#include <string.h>

#include "../core/machine.h"
#include "checks.h"
#include "ops.h"

split_status split_check_sum(const uint8_t* program, const split_op* op, const split_op_views* views) {
    const split_sum_params* sum = (const split_sum_params*)split_at(program, op->params_offset);
    if (!split_feeds_one_pixel(views, views->output->channel_count) ||
        views->input->channel_count != views->output->channel_count ||
        split_pixel_count(views->input) > SPLIT_MAX_SUMMED) {
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
    if (!split_feeds_one_pixel(views, out)) {
        return SPLIT_ERROR_SHAPE;
    }
    return split_check_quantized(program, &dense->quantized, dense->flags, SPLIT_WEIGHT_PER_CHANNEL,
                                 split_full_weights(views, split_pixel_count(views->input)), out);
}

/* Mode MAXIMUM. The accumulator holds the largest value of each channel so far, as int32. */
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
        const split_sum sum = split_sum_of(params);
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
        split_requantization_of(at, &params->quantized, params->flags),
        (const int8_t*)split_at(at->program, params->quantized.weights_offset) + (int32_t)row * row_elements,
        input->row_count * row_elements,
    };
    if (row == 0) {
        memcpy(sums, split_at(at->program, params->quantized.bias_offset), (size_t)outputs * sizeof(int32_t));
    }
    split_nn_dense_row(&dense, (const int8_t*)split_read_row(at, input, row), &in, sums, outputs);
    if (row + 1 == input->row_count) {
        split_nn_dense_finish(&dense, sums, outputs, (int8_t*)split_write_row(at, output, 0));
    }
}
