/* RESIZE_NEAREST, RESIZE_BILINEAR: what prepare checks, and what a step does. */
#include "../core/machine.h"
#include "checks.h"
#include "ops.h"

/* Does a map of `entries` u16 lie in the constants, with every value below `count`? */
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

/* Do `entries` positions lie in the constants, none of them beyond the last of `count` rows or columns? */
static int positions_are_sound(const uint8_t* program, uint32_t offset, uint32_t entries, uint32_t count) {
    if (!split_in_constants(program, offset, (uint64_t)entries * 4u, 4u)) {
        return 0;
    }
    const uint32_t* positions = (const uint32_t*)split_at(program, offset);
    for (uint32_t i = 0; i < entries; ++i) {
        if (positions[i] > (count - 1u) * SPLIT_POSITIONS_PER_PIXEL) {
            return 0;
        }
    }
    return 1;
}

split_status split_check_bilinear(const uint8_t* program, const split_op* op, const split_op_views* views) {
    const split_bilinear_params* bilinear = (const split_bilinear_params*)split_at(program, op->params_offset);
    const split_view* in = views->input;
    const split_view* out = views->output;
    if (in->channel_count != out->channel_count) {
        return SPLIT_ERROR_SHAPE;
    }
    const int sound =
        positions_are_sound(program, bilinear->row_positions_offset, out->row_count, in->row_count) &&
        positions_are_sound(program, bilinear->column_positions_offset, out->column_count, in->column_count);
    return sound ? SPLIT_OK : SPLIT_ERROR_CONSTANT;
}

void split_run_bilinear(const split_machine* at, const split_op* op, uint32_t row) {
    const split_bilinear_params* params = (const split_bilinear_params*)split_at(at->program, op->params_offset);
    const uint32_t* rows = (const uint32_t*)split_at(at->program, params->row_positions_offset);
    const uint32_t* columns = (const uint32_t*)split_at(at->program, params->column_positions_offset);
    const split_view* output = split_view_of(at, op->output);
    const split_view* input = split_view_of(at, op->input);
    const split_pixels in = split_pixels_of(input);
    const split_pixels out = split_pixels_of(output);
    const uint32_t first_row = rows[row] / SPLIT_POSITIONS_PER_PIXEL;
    const uint32_t fraction = rows[row] % SPLIT_POSITIONS_PER_PIXEL;
    const int8_t* first = (const int8_t*)split_read_row(at, input, first_row);
    const int8_t* second = fraction > 0 ? (const int8_t*)split_read_row(at, input, first_row + 1u) : first;
    int8_t* write = (int8_t*)split_write_row(at, output, row);
    split_nn_resize_bilinear_row(fraction, columns, first, second, &in, write, &out);
}

int split_reads_mapped(const uint8_t* program, const split_op* op, uint32_t row) {
    const split_resize_params* resize = (const split_resize_params*)split_at(program, op->params_offset);
    return split_has_address(program, op->input, ((const uint16_t*)split_at(program, resize->row_map_offset))[row]);
}

/* A step reads the row at or above its position, and the next one unless the position is exactly on a row. */
int split_reads_between(const uint8_t* program, const split_op* op, uint32_t row) {
    const split_bilinear_params* bilinear = (const split_bilinear_params*)split_at(program, op->params_offset);
    const uint32_t position = ((const uint32_t*)split_at(program, bilinear->row_positions_offset))[row];
    const uint32_t first = position / SPLIT_POSITIONS_PER_PIXEL;
    return split_has_address(program, op->input, first) &&
           (position % SPLIT_POSITIONS_PER_PIXEL == 0 || split_has_address(program, op->input, first + 1u));
}
