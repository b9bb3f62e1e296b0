/* RECUT: what prepare checks, and what a step does. */
#include <string.h>

#include "../core/machine.h"
#include "checks.h"
#include "ops.h"

static uint64_t row_elements(const split_view* view) {
    return (uint64_t)view->column_count * view->channel_count;
}

static int has_no_gaps(const split_view* view) {
    return view->column_count == 1 || view->pixel_stride_bytes == (uint64_t)view->channel_count * view->element_bytes;
}

/* All elements together are at most SPLIT_MAX_RECUT, so that their bytes are counted in uint32. */
split_status split_check_recut(const uint8_t* program, const split_op* op, const split_op_views* views) {
    const split_recut_params* recut = (const split_recut_params*)split_at(program, op->params_offset);
    const split_view* in = views->input;
    const split_view* out = views->output;
    const uint64_t read = split_capped_product(row_elements(in), in->row_count);
    const uint64_t written = split_capped_product(row_elements(out), out->row_count);
    if (in->element_bytes != out->element_bytes || read > SPLIT_MAX_RECUT || recut->first + written > read ||
        !has_no_gaps(in) || !has_no_gaps(out)) {
        return SPLIT_ERROR_SHAPE;
    }
    return SPLIT_OK;
}

/* The first element that output row `row` takes. */
static uint32_t first_taken(const uint8_t* program, const split_op* op, uint32_t row) {
    const split_recut_params* recut = (const split_recut_params*)split_at(program, op->params_offset);
    return recut->first + row * (uint32_t)row_elements(split_view_at(program, op->output));
}

int split_reads_recut(const uint8_t* program, const split_op* op, uint32_t row) {
    const uint32_t per_row = (uint32_t)row_elements(split_view_at(program, op->input));
    const uint32_t first = first_taken(program, op, row);
    const uint32_t last = first + (uint32_t)row_elements(split_view_at(program, op->output)) - 1u;
    for (uint32_t k = first / per_row; k <= last / per_row; ++k) {
        if (!split_has_address(program, op->input, k)) {
            return 0;
        }
    }
    return 1;
}

void split_run_recut(const split_machine* at, const split_op* op, uint32_t row) {
    const split_view* input = split_view_of(at, op->input);
    const split_view* output = split_view_of(at, op->output);
    const uint32_t row_bytes = (uint32_t)row_elements(input) * input->element_bytes;
    const uint32_t first = first_taken(at->program, op, row) * input->element_bytes;
    uint32_t left = (uint32_t)row_elements(output) * output->element_bytes;
    uint32_t read_row = first / row_bytes;
    uint32_t skipped = first % row_bytes;
    uint8_t* to = split_write_row(at, output, row);
    while (left > 0) {
        const uint32_t run = row_bytes - skipped < left ? row_bytes - skipped : left;
        const uint8_t* from = split_read_row(at, input, read_row) + skipped;
        /* Not memcpy: no accepted program may lead to undefined behaviour, a senseless one may overlap. */
        memmove(to, from, run);
        to += run;
        left -= run;
        skipped = 0;
        ++read_row;
    }
}
