/* PAD, RESIZE_NEAREST: what prepare checks, and what a step does. */
#include "split_nn_machine.h"
#include "split_nn_op_check.h"
#include "split_nn_ops.h"

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

/* Does a map of `entries` u16 lie in the constants and lead to nothing beyond `count`? */
static int map_is_sound(const uint8_t* program, uint32_t offset, uint32_t entries, uint32_t count) {
    if (!split_in_constants(program, offset, (uint64_t)entries * 2u, 2u)) {
        return 0;
    }
    const uint16_t* map = (const uint16_t*)split_at(program, offset);
    for (uint32_t i = 0; i < entries; ++i) {
        if (map[i] >= count) {
            return 0;
        }
    }
    return 1;
}

split_status split_check_resize(const uint8_t* program, const split_op* op, const split_op_views* views) {
    const split_resize_params* resize = (const split_resize_params*)split_at(program, op->params_offset);
    const split_view* in = views->input;
    const split_view* out = views->output;
    if (in->channel_count != out->channel_count) {
        return SPLIT_ERROR_SHAPE;
    }
    const int sound = map_is_sound(program, resize->row_map_offset, out->row_count, in->row_count) &&
                      map_is_sound(program, resize->column_map_offset, out->column_count, in->column_count);
    return sound ? SPLIT_OK : SPLIT_ERROR_CONSTANT;
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

void split_run_resize_nearest(const split_machine* at, const split_op* op, uint32_t row) {
    const split_resize_params* params = (const split_resize_params*)split_at(at->program, op->params_offset);
    const uint16_t* row_map = (const uint16_t*)split_at(at->program, params->row_map_offset);
    const uint16_t* column_map = (const uint16_t*)split_at(at->program, params->column_map_offset);
    const split_view* output = split_view_of(at, op->output);
    const split_view* input = split_view_of(at, op->input);
    const split_pixels in = split_pixels_of(input);
    const split_pixels out = split_pixels_of(output);
    const int8_t* read = (const int8_t*)split_read_row(at, input, row_map[row]);
    split_nn_resize_nearest_row(column_map, read, &in, (int8_t*)split_write_row(at, output, row), &out);
}
