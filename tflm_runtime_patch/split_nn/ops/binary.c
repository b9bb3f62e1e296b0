/* ADD, SUB, MUL, SQUARED_DIFFERENCE, PRELU, MINIMUM, MAXIMUM: what prepare checks, and what a step does. */
#include "../core/machine.h"
#include "checks.h"
#include "ops.h"

split_status split_check_binary(const uint8_t* program, const split_op* op, const split_op_views* views) {
    const split_binary_params* binary = (const split_binary_params*)split_at(program, op->params_offset);
    if (!split_broadcasts(views->input, views->output) || !split_broadcasts(views->input2, views->output)) {
        return SPLIT_ERROR_SHAPE;
    }
    const int sound = split_is_zero_point(binary->zero_point1) && split_is_zero_point(binary->zero_point2) &&
                      split_is_zero_point(binary->output_zero_point) &&
                      split_in_range(binary->left_shift, 0, SPLIT_MAX_LEFT_SHIFT) && split_is_shift(binary->shift1) &&
                      split_is_shift(binary->shift2) && split_is_shift(binary->output_shift) &&
                      split_is_int8_range(binary->output_min, binary->output_max);
    return sound ? SPLIT_OK : SPLIT_ERROR_PARAMS;
}

static split_operand operand_of(const split_machine* at, uint32_t index, uint32_t row, int32_t zero_point) {
    const split_view* view = split_view_of(at, index);
    split_operand operand = {
        (const int8_t*)split_read_row(at, view, view->row_count == 1 ? 0 : row),
        view->column_count == 1 ? 0 : (int32_t)view->pixel_stride_bytes,
        view->channel_count == 1 ? 0 : 1,
        zero_point,
    };
    return operand;
}

static split_add add_of(const split_binary_params* params, int subtract) {
    split_add add = {
        params->left_shift,
        params->multiplier1,
        params->shift1,
        params->multiplier2,
        params->shift2,
        params->output_multiplier,
        params->output_shift,
        params->output_zero_point,
        params->output_min,
        params->output_max,
        subtract,
    };
    return add;
}

void split_run_binary(const split_machine* at, const split_op* op, uint32_t row) {
    const split_binary_params* params = (const split_binary_params*)split_at(at->program, op->params_offset);
    const split_view* output = split_view_of(at, op->output);
    const split_pixels out = split_pixels_of(output);
    const split_operand first = operand_of(at, op->input, row, params->zero_point1);
    const split_operand second = operand_of(at, op->input2, row, params->zero_point2);
    int8_t* pixels = (int8_t*)split_write_row(at, output, row);
    if (SPLIT_NN_IS(op, SPLIT_OP_MUL)) {
        const split_mul mul = {params->output_multiplier, params->output_shift, params->output_zero_point,
                               params->output_min, params->output_max};
        split_nn_mul_row(&mul, &first, &second, pixels, &out);
    } else if (SPLIT_NN_HAS(SPLIT_OP_ADD) || SPLIT_NN_HAS(SPLIT_OP_SUB)) {
        const split_add add = add_of(params, op->kind == SPLIT_OP_SUB);
        split_nn_add_row(&add, &first, &second, pixels, &out);
    }
}

void split_run_extreme(const split_machine* at, const split_op* op, uint32_t row) {
    const split_view* output = split_view_of(at, op->output);
    const split_pixels out = split_pixels_of(output);
    const split_operand first = operand_of(at, op->input, row, 0);
    const split_operand second = operand_of(at, op->input2, row, 0);
    split_nn_extreme_row(op->kind == SPLIT_OP_MAXIMUM, &first, &second, (int8_t*)split_write_row(at, output, row),
                         &out);
}

void split_run_squared_difference(const split_machine* at, const split_op* op, uint32_t row) {
    const split_binary_params* params = (const split_binary_params*)split_at(at->program, op->params_offset);
    const split_view* output = split_view_of(at, op->output);
    const split_pixels out = split_pixels_of(output);
    const split_operand first = operand_of(at, op->input, row, params->zero_point1);
    const split_operand second = operand_of(at, op->input2, row, params->zero_point2);
    const split_add add = add_of(params, 1);
    split_nn_squared_difference_row(&add, &first, &second, (int8_t*)split_write_row(at, output, row), &out);
}

void split_run_prelu(const split_machine* at, const split_op* op, uint32_t row) {
    const split_binary_params* params = (const split_binary_params*)split_at(at->program, op->params_offset);
    const split_view* output = split_view_of(at, op->output);
    const split_pixels out = split_pixels_of(output);
    const split_operand first = operand_of(at, op->input, row, params->zero_point1);
    const split_operand slope = operand_of(at, op->input2, row, params->zero_point2);
    const split_prelu prelu = {params->multiplier1,       params->shift1,     params->multiplier2, params->shift2,
                               params->output_zero_point, params->output_min, params->output_max};
    split_nn_prelu_row(&prelu, &first, &slope, (int8_t*)split_write_row(at, output, row), &out);
}
