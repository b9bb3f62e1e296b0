/* RESIZE_BILINEAR, GATHER, DEPTH_TO_SPACE, PIXEL_SUM: what prepare checks, and what a step does. */
#include "split_nn_machine.h"
#include "split_nn_op_check.h"
#include "split_nn_ops.h"

/* Do `entries` positions lie in the constants and lead to nothing beyond the last of `count` rows or columns? */
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

split_status split_check_depth_to_space(const uint8_t* program, const split_op* op, const split_op_views* views) {
    const split_block_params* params = (const split_block_params*)split_at(program, op->params_offset);
    const split_view* in = views->input;
    const split_view* out = views->output;
    const uint64_t block = params->block;
    if (block < 1 || block > UINT16_MAX) {
        return SPLIT_ERROR_PARAMS;
    }
    const int sound = in->row_count * block == out->row_count && in->column_count * block == out->column_count &&
                      split_capped_product(block * block, out->channel_count) == in->channel_count;
    return sound ? SPLIT_OK : SPLIT_ERROR_SHAPE;
}

split_status split_check_pixel_sum(const uint8_t* program, const split_op* op, const split_op_views* views) {
    const split_sum_params* sum = (const split_sum_params*)split_at(program, op->params_offset);
    const split_view* in = views->input;
    const split_view* out = views->output;
    if (in->row_count != out->row_count || in->column_count != out->column_count || out->channel_count != 1 ||
        in->channel_count > SPLIT_MAX_SUMMED) {
        return SPLIT_ERROR_SHAPE;
    }
    const int sound = sum->mode == SPLIT_MEAN_MEAN && sum->count >= 1 && split_is_shift(sum->shift) &&
                      split_is_zero_point(sum->output_zero_point) &&
                      split_is_int8_range(sum->output_min, sum->output_max);
    return sound ? SPLIT_OK : SPLIT_ERROR_PARAMS;
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

void split_run_pixel_sum(const split_machine* at, const split_op* op, uint32_t row) {
    const split_sum_params* params = (const split_sum_params*)split_at(at->program, op->params_offset);
    const split_view* output = split_view_of(at, op->output);
    const split_view* input = split_view_of(at, op->input);
    const split_pixels in = split_pixels_of(input);
    const split_pixels out = split_pixels_of(output);
    const split_sum sum = split_sum_of(params);
    split_nn_pixel_sum_row(&sum, (const int8_t*)split_read_row(at, input, row), &in,
                           (int8_t*)split_write_row(at, output, row), &out);
}
