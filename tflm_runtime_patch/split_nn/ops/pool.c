/* AVERAGE_POOL, MAX_POOL: what prepare checks, and what a step does. */
#include "../core/machine.h"
#include "checks.h"
#include "ops.h"

split_status split_check_pool(const uint8_t* program, const split_op* op, const split_op_views* views) {
    const split_pool_params* pool = (const split_pool_params*)split_at(program, op->params_offset);
    const int sound = split_is_int8_range(pool->output_min, pool->output_max);
    return split_check_pool_window(&pool->window, views, sound);
}

void split_run_pool(const split_machine* at, const split_op* op, uint32_t row) {
    const split_pool_params* params = (const split_pool_params*)split_at(at->program, op->params_offset);
    const split_view* output = split_view_of(at, op->output);
    const split_pixels in = split_pixels_of(split_view_of(at, op->input));
    const split_pixels out = split_pixels_of(output);
    const int8_t* rows[SPLIT_MAX_WINDOW_ROWS];
    const split_pool pool = {split_window_of(&params->window), params->output_min, params->output_max};
    split_window_rows(at, op, row, rows);
    if (SPLIT_NN_IS(op, SPLIT_OP_AVERAGE_POOL)) {
        split_nn_average_pool_row(&pool, rows, &in, (int8_t*)split_write_row(at, output, row), &out);
    } else if (SPLIT_NN_HAS(SPLIT_OP_MAX_POOL)) {
        split_nn_max_pool_row(&pool, rows, &in, (int8_t*)split_write_row(at, output, row), &out);
    }
}
