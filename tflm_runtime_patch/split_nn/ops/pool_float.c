/* POOL_FLOAT: what prepare checks, and what a step does. */
#include "../core/machine.h"
#include "checks.h"
#include "float32.h"
#include "ops.h"

split_status split_check_pool_float(const uint8_t* program, const split_op* op, const split_op_views* views) {
    const split_pool_float_params* pool = (const split_pool_float_params*)split_at(program, op->params_offset);
    const int sound = split_are_limits(pool->output_min, pool->output_max) &&
                      split_in_range(pool->mode, SPLIT_POOL_AVERAGE, SPLIT_POOL_MAXIMUM);
    return split_check_pool_window(&pool->window, views, sound);
}

void split_run_pool_float(const split_machine* at, const split_op* op, uint32_t row) {
    const split_pool_float_params* params = (const split_pool_float_params*)split_at(at->program, op->params_offset);
    const split_pixels in = split_pixels_of(split_view_of(at, op->input));
    const split_pixels out = split_pixels_of(split_view_of(at, op->output));
    const split_pool_float pool = {
        split_window_of(&params->window), {params->output_min, params->output_max}, params->mode};
    const float* rows[SPLIT_MAX_WINDOW_ROWS];
    split_window_rows_float(at, op, row, rows);
    split_nn_pool_float_row(&pool, rows, &in, split_write_float(at, op->output, row), &out);
}
