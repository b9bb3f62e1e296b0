/* FETCH: what prepare checks, and what a step does. */
#include "../core/machine.h"
#include "checks.h"
#include "ops.h"

split_status split_check_fetch(const uint8_t* program, const split_op* op, const split_op_views* views) {
    const split_fetch_params* fetch = (const split_fetch_params*)split_at(program, op->params_offset);
    const split_view* in = views->input;
    const split_view* out = views->output;
    if (in->element_bytes != out->element_bytes || in->column_count != out->column_count ||
        in->channel_count != out->channel_count || in->row_count > out->row_count) {
        return SPLIT_ERROR_SHAPE;
    }
    const int sound = fetch->flip == 0 || (fetch->flip == 128 && in->element_bytes == 1);
    return sound ? SPLIT_OK : SPLIT_ERROR_PARAMS;
}

/* The rows of a call lie in the input one after the other. */
int split_reads_cycle(const uint8_t* program, const split_op* op, uint32_t row) {
    return split_has_address(program, op->input, row % split_view_at(program, op->input)->row_count);
}

void split_run_fetch(const split_machine* at, const split_op* op, uint32_t row) {
    const split_fetch_params* params = (const split_fetch_params*)split_at(at->program, op->params_offset);
    const split_view* input = split_view_of(at, op->input);
    const split_view* output = split_view_of(at, op->output);
    const split_pixels in = split_pixels_of(input);
    const split_pixels out = split_pixels_of(output);
    split_nn_fetch_row(split_read_row(at, input, row % input->row_count), split_write_row(at, output, row), &in, &out,
                       input->element_bytes, (uint8_t)params->flip);
}
