/* FETCH, EMIT: what prepare checks, and what a step does. */
#include "../core/machine.h"
#include "checks.h"
#include "ops.h"

/* One of the two tensors holds all rows, the other those of one call. */
static split_status check_stream(const uint8_t* program, const split_op* op, const split_view* whole,
                                 const split_view* of_call) {
    const split_stream_params* stream = (const split_stream_params*)split_at(program, op->params_offset);
    if (of_call->element_bytes != whole->element_bytes || of_call->column_count != whole->column_count ||
        of_call->channel_count != whole->channel_count || of_call->row_count > whole->row_count) {
        return SPLIT_ERROR_SHAPE;
    }
    const int sound = stream->flip == 0 || (stream->flip == 128 && whole->element_bytes == 1);
    return sound ? SPLIT_OK : SPLIT_ERROR_PARAMS;
}

split_status split_check_fetch(const uint8_t* program, const split_op* op, const split_op_views* views) {
    return check_stream(program, op, views->output, views->input);
}

split_status split_check_emit(const uint8_t* program, const split_op* op, const split_op_views* views) {
    return check_stream(program, op, views->input, views->output);
}

/* The rows of a call lie in the input one after the other. */
int split_reads_cycle(const uint8_t* program, const split_op* op, uint32_t row) {
    return split_has_address(program, op->input, row % split_view_at(program, op->input)->row_count);
}

static void copy_row(const split_machine* at, const split_op* op, uint32_t read_row, uint32_t written_row) {
    const split_stream_params* params = (const split_stream_params*)split_at(at->program, op->params_offset);
    const split_view* input = split_view_of(at, op->input);
    const split_view* output = split_view_of(at, op->output);
    const split_pixels in = split_pixels_of(input);
    const split_pixels out = split_pixels_of(output);
    split_nn_stream_row(split_read_row(at, input, read_row), split_write_row(at, output, written_row), &in, &out,
                        input->element_bytes, (uint8_t)params->flip);
}

void split_run_fetch(const split_machine* at, const split_op* op, uint32_t row) {
    copy_row(at, op, row % split_view_of(at, op->input)->row_count, row);
}

void split_run_emit(const split_machine* at, const split_op* op, uint32_t row) {
    copy_row(at, op, row, row % split_view_of(at, op->output)->row_count);
}
