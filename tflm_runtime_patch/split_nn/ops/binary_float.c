/* BINARY_FLOAT: what prepare checks, and what a step does. */
#include "../core/machine.h"
#include "checks.h"
#include "float32.h"
#include "ops.h"

split_status split_check_binary_float(const uint8_t* program, const split_op* op, const split_op_views* views) {
    const split_binary_float_params* binary = (const split_binary_float_params*)split_at(program, op->params_offset);
    if (!split_broadcasts(views->input, views->output) || !split_broadcasts(views->input2, views->output)) {
        return SPLIT_ERROR_SHAPE;
    }
    const int sound = split_in_range(binary->mode, SPLIT_BINARY_ADD, SPLIT_BINARY_MUL) &&
                      split_are_limits(binary->output_min, binary->output_max);
    return sound ? SPLIT_OK : SPLIT_ERROR_PARAMS;
}

static split_operand_float operand_of(const split_machine* at, uint32_t index, uint32_t row) {
    const split_view* view = split_view_of(at, index);
    split_operand_float operand = {
        split_read_float(at, view, view->row_count == 1 ? 0 : row),
        view->column_count == 1 ? 0 : (int32_t)(view->pixel_stride_bytes / sizeof(float)),
        view->channel_count == 1 ? 0 : 1,
    };
    return operand;
}

void split_run_binary_float(const split_machine* at, const split_op* op, uint32_t row) {
    const split_binary_float_params* params =
        (const split_binary_float_params*)split_at(at->program, op->params_offset);
    const split_pixels out = split_pixels_of(split_view_of(at, op->output));
    const split_limits limits = {params->output_min, params->output_max};
    const split_operand_float first = operand_of(at, op->input, row);
    const split_operand_float second = operand_of(at, op->input2, row);
    split_nn_binary_float_row(params->mode, &limits, &first, &second, split_write_float(at, op->output, row), &out);
}
