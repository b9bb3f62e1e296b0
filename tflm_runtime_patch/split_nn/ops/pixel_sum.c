/* PIXEL_SUM: what prepare checks, and what a step does. */
#include "../core/machine.h"
#include "checks.h"
#include "ops.h"

split_status split_check_pixel_sum(const uint8_t* program, const split_op* op, const split_op_views* views) {
    const split_sum_params* sum = (const split_sum_params*)split_at(program, op->params_offset);
    const split_view* in = views->input;
    const split_view* out = views->output;
    if (in->row_count != out->row_count || in->column_count != out->column_count || out->channel_count != 1 ||
        in->channel_count > SPLIT_MAX_SUMMED) {
        return SPLIT_ERROR_SHAPE;
    }
    const int sound = sum->mode == SPLIT_MEAN_MEAN && sum->count >= 1 && split_is_shift(sum->shift) &&
                      split_is_zero_point(sum->output_zero_point) &&
                      split_is_int8_range(sum->output_min, sum->output_max);
    return sound ? SPLIT_OK : SPLIT_ERROR_PARAMS;
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
