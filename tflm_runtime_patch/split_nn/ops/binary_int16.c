/* BINARY_INT16: what prepare checks, and what a step does. */
#include "../core/machine.h"
#include "checks.h"
#include "int16.h"
#include "ops.h"

split_status split_check_binary_int16(const uint8_t* program, const split_op* op, const split_op_views* views) {
    const split_binary_int16_params* binary = (const split_binary_int16_params*)split_at(program, op->params_offset);
    if (!split_broadcasts(views->input, views->output) || !split_broadcasts(views->input2, views->output)) {
        return SPLIT_ERROR_SHAPE;
    }
    const int sound = split_in_range(binary->mode, SPLIT_BINARY_ADD, SPLIT_BINARY_MUL) &&
                      split_in_range(binary->left_shift, 0, SPLIT_MAX_LEFT_SHIFT_INT16) &&
                      split_is_shift(binary->shift1) && split_is_shift(binary->shift2) &&
                      split_is_shift(binary->output_shift) &&
                      split_is_int16_range(binary->output_min, binary->output_max);
    return sound ? SPLIT_OK : SPLIT_ERROR_PARAMS;
}

static split_operand_int16 operand_of(const split_machine* at, uint32_t index, uint32_t row) {
    const split_view* view = split_view_of(at, index);
    split_operand_int16 operand = {
        split_read_int16(at, view, view->row_count == 1 ? 0 : row),
        view->column_count == 1 ? 0 : (int32_t)(view->pixel_stride_bytes / sizeof(int16_t)),
        view->channel_count == 1 ? 0 : 1,
    };
    return operand;
}

void split_run_binary_int16(const split_machine* at, const split_op* op, uint32_t row) {
    const split_binary_int16_params* from = (const split_binary_int16_params*)split_at(at->program, op->params_offset);
    const split_binary_int16 binary = {
        from->mode,   from->left_shift,        from->multiplier1,  from->shift1,     from->multiplier2,
        from->shift2, from->output_multiplier, from->output_shift, from->output_min, from->output_max,
    };
    const split_pixels out = split_pixels_of(split_view_of(at, op->output));
    const split_operand_int16 first = operand_of(at, op->input, row);
    const split_operand_int16 second = operand_of(at, op->input2, row);
    split_nn_binary_int16_row(&binary, &first, &second, split_write_int16(at, op->output, row), &out);
}
