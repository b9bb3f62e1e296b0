/* PAD: what prepare checks, and what a step does. */
#include "../core/machine.h"
#include "checks.h"
#include "ops.h"

static int pad_fits(uint32_t before, uint32_t inner, uint32_t outer) {
    return split_lies_in(before, inner, 0, outer);
}

split_status split_check_pad(const uint8_t* program, const split_op* op, const split_op_views* views) {
    const split_pad_params* pad = (const split_pad_params*)split_at(program, op->params_offset);
    const split_view* in = views->input;
    const split_view* out = views->output;
    if (!pad_fits(pad->pad_rows, in->row_count, out->row_count) ||
        !pad_fits(pad->pad_columns, in->column_count, out->column_count) ||
        !pad_fits(pad->pad_channels, in->channel_count, out->channel_count) ||
        in->element_bytes != out->element_bytes ||
        (in->element_bytes != 1 && pad->value != 0 && !split_same_shape(in, out))) {
        return SPLIT_ERROR_SHAPE;
    }
    return split_in_range(pad->value, INT8_MIN, INT8_MAX) ? SPLIT_OK : SPLIT_ERROR_PARAMS;
}

void split_run_pad(const split_machine* at, const split_op* op, uint32_t row) {
    const split_pad_params* params = (const split_pad_params*)split_at(at->program, op->params_offset);
    const split_view* output = split_view_of(at, op->output);
    const split_view* input = split_view_of(at, op->input);
    const split_pixels in = split_pixels_of(input);
    const split_pixels out = split_pixels_of(output);
    const split_pad pad = {params->pad_columns, params->pad_channels, output->element_bytes, (int8_t)params->value};
    const int inside = row >= params->pad_rows && row - params->pad_rows < input->row_count;
    const uint8_t* read = inside ? split_read_row(at, input, row - params->pad_rows) : NULL;
    split_nn_pad_row(&pad, read, &in, split_write_row(at, output, row), &out);
}

int split_reads_padded(const uint8_t* program, const split_op* op, uint32_t row) {
    const split_pad_params* pad = (const split_pad_params*)split_at(program, op->params_offset);
    return split_tap_has_address(program, op->input, (int32_t)row - pad->pad_rows);
}
