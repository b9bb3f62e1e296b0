/* DEPTH_TO_SPACE: what prepare checks, and what a step does. */
#include "../core/machine.h"
#include "checks.h"
#include "ops.h"

split_status split_check_depth_to_space(const uint8_t* program, const split_op* op, const split_op_views* views) {
    const split_block_params* params = (const split_block_params*)split_at(program, op->params_offset);
    const split_view* in = views->input;
    const split_view* out = views->output;
    const uint64_t block = params->block;
    if (block < 1 || block > SPLIT_MAX_BLOCK) {
        return SPLIT_ERROR_PARAMS;
    }
    const int sound = in->row_count * block == out->row_count && in->column_count * block == out->column_count &&
                      split_capped_product(block * block, out->channel_count) == in->channel_count;
    return sound ? SPLIT_OK : SPLIT_ERROR_SHAPE;
}

void split_run_depth_to_space(const split_machine* at, const split_op* op, uint32_t row) {
    const split_block_params* params = (const split_block_params*)split_at(at->program, op->params_offset);
    const split_view* output = split_view_of(at, op->output);
    const split_view* input = split_view_of(at, op->input);
    const split_pixels in = split_pixels_of(input);
    const split_pixels out = split_pixels_of(output);
    const int8_t* read = (const int8_t*)split_read_row(at, input, row / params->block);
    split_nn_depth_to_space_row((int32_t)params->block, (int32_t)(row % params->block), read, &in,
                                (int8_t*)split_write_row(at, output, row), &out);
}

int split_reads_block(const uint8_t* program, const split_op* op, uint32_t row) {
    const split_block_params* params = (const split_block_params*)split_at(program, op->params_offset);
    return split_has_address(program, op->input, row / params->block);
}
