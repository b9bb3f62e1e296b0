/* GATHER: what prepare checks, and what a step does. */
#include "../core/machine.h"
#include "checks.h"
#include "ops.h"

split_status split_check_gather(const uint8_t* program, const split_op* op, const split_op_views* views) {
    const split_gather_params* gather = (const split_gather_params*)split_at(program, op->params_offset);
    const split_view* in = views->input;
    const split_view* out = views->output;
    if (in->row_count != out->row_count || in->column_count != 1 || in->channel_count != 1) {
        return SPLIT_ERROR_SHAPE;
    }
    if (gather->entry_count < 1) {
        return SPLIT_ERROR_PARAMS;
    }
    uint64_t table_bytes = split_capped_product(gather->entry_count, out->column_count);
    table_bytes = split_capped_product(table_bytes, out->channel_count);
    return split_in_constants(program, gather->table_offset, table_bytes, 4u) ? SPLIT_OK : SPLIT_ERROR_CONSTANT;
}

void split_run_gather(const split_machine* at, const split_op* op, uint32_t row) {
    const split_gather_params* params = (const split_gather_params*)split_at(at->program, op->params_offset);
    const int8_t* table = (const int8_t*)split_at(at->program, params->table_offset);
    const split_view* output = split_view_of(at, op->output);
    const split_pixels out = split_pixels_of(output);
    const int32_t index = *(const int32_t*)(const void*)split_read_row(at, split_view_of(at, op->input), row);
    const uint32_t last = params->entry_count - 1u;
    const uint32_t entry = index < 0 ? 0u : (uint32_t)index > last ? last : (uint32_t)index;
    split_nn_gather_row(table + (size_t)entry * output->column_count * output->channel_count,
                        (int8_t*)split_write_row(at, output, row), &out);
}
