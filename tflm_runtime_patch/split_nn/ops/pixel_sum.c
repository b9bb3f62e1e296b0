/* PIXEL_SUM, ROW_SUM: what prepare checks, and what a step does. Stack of a step of ROW_SUM: SPLIT_BLOCK_CHANNELS
 * sums, below 250 bytes on a 32-bit machine, and the kernel's own. */
#include <string.h>

#include "../kernels/shared_int8.h"
#include "../core/machine.h"
#include "checks.h"
#include "ops.h"

static int is_mean(const split_sum_params* sum) {
    return sum->mode == SPLIT_MEAN_MEAN && sum->count >= 1 && split_is_shift(sum->shift) &&
           split_is_zero_point(sum->output_zero_point) && split_is_int8_range(sum->output_min, sum->output_max);
}

split_status split_check_pixel_sum(const uint8_t* program, const split_op* op, const split_op_views* views) {
    const split_sum_params* sum = (const split_sum_params*)split_at(program, op->params_offset);
    const split_view* in = views->input;
    const split_view* out = views->output;
    if (in->row_count != out->row_count || in->column_count != out->column_count || out->channel_count != 1 ||
        in->channel_count > SPLIT_MAX_SUMMED) {
        return SPLIT_ERROR_SHAPE;
    }
    return is_mean(sum) ? SPLIT_OK : SPLIT_ERROR_PARAMS;
}

/* A row has at most 65535 columns: sums stay within +-2^23. */
split_status split_check_row_sum(const uint8_t* program, const split_op* op, const split_op_views* views) {
    const split_sum_params* sum = (const split_sum_params*)split_at(program, op->params_offset);
    const split_view* in = views->input;
    const split_view* out = views->output;
    if (in->row_count != out->row_count || in->channel_count != out->channel_count || out->column_count != 1) {
        return SPLIT_ERROR_SHAPE;
    }
    return is_mean(sum) ? SPLIT_OK : SPLIT_ERROR_PARAMS;
}

void split_run_pixel_sum(const split_machine* at, const split_op* op, uint32_t row) {
    const split_sum_params* params = (const split_sum_params*)split_at(at->program, op->params_offset);
    const split_view* output = split_view_of(at, op->output);
    const split_view* input = split_view_of(at, op->input);
    const split_pixels in = split_pixels_of(input);
    const split_pixels out = split_pixels_of(output);
    const split_sum sum = split_sum_of(params);
    split_nn_pixel_sum_row(&sum, (const int8_t*)split_read_row(at, input, row), &in,
                           (int8_t*)split_write_row(at, output, row), &out);
}

/* Some channels at a time, with the kernel of SUM_FEED. */
void split_run_row_sum(const split_machine* at, const split_op* op, uint32_t row) {
    const split_view* view = split_view_of(at, op->input);
    const split_pixels in = split_pixels_of(view);
    const split_sum sum = split_sum_of((const split_sum_params*)split_at(at->program, op->params_offset));
    const int8_t* input = (const int8_t*)split_read_row(at, view, row);
    int8_t* output = (int8_t*)split_write_row(at, split_view_of(at, op->output), row);
    for (int32_t channel = 0; channel < in.channels; channel += SPLIT_BLOCK_CHANNELS) {
        const int32_t left = in.channels - channel;
        const int32_t block = left < SPLIT_BLOCK_CHANNELS ? left : SPLIT_BLOCK_CHANNELS;
        const split_pixels some = {in.columns, block, in.stride};
        int32_t sums[SPLIT_BLOCK_CHANNELS];
        memset(sums, 0, sizeof sums);
        split_nn_sum_row(input + channel, &some, sums);
        split_nn_sum_finish(&sum, sums, block, output + channel);
    }
}
