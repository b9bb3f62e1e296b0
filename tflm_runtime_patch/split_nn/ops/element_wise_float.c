/* UNARY_FLOAT, LIBRARY_FLOAT, SOFTMAX_FLOAT: what prepare checks, and what a step does. */
#include "../core/machine.h"
#include "checks.h"
#include "float32.h"
#include "ops.h"

split_status split_check_unary_float(const uint8_t* program, const split_op* op, const split_op_views* views) {
    const split_unary_float_params* unary = (const split_unary_float_params*)split_at(program, op->params_offset);
    if (!split_same_shape(views->input, views->output)) {
        return SPLIT_ERROR_SHAPE;
    }
    const int sound = (unary->mode == SPLIT_UNARY_CLAMP || unary->mode == SPLIT_UNARY_LEAKY ||
                       unary->mode == SPLIT_UNARY_HARD_SWISH) &&
                      split_are_limits(unary->low, unary->high) && split_are_limits(unary->slope, unary->slope);
    return sound ? SPLIT_OK : SPLIT_ERROR_PARAMS;
}

void split_run_unary_float(const split_machine* at, const split_op* op, uint32_t row) {
    const split_unary_float_params* params = (const split_unary_float_params*)split_at(at->program, op->params_offset);
    const split_view* input = split_view_of(at, op->input);
    const split_pixels in = split_pixels_of(input);
    const split_pixels out = split_pixels_of(split_view_of(at, op->output));
    const split_unary_float unary = {params->mode, params->low, params->high, params->slope};
    split_nn_unary_float_row(&unary, split_read_float(at, input, row), &in, split_write_float(at, op->output, row),
                             &out);
}

split_status split_check_library_float(const uint8_t* program, const split_op* op, const split_op_views* views) {
    const split_library_float_params* called = (const split_library_float_params*)split_at(program, op->params_offset);
    if (!split_same_shape(views->input, views->output)) {
        return SPLIT_ERROR_SHAPE;
    }
    const int sound =
        called->mode == SPLIT_UNARY_LOGISTIC || called->mode == SPLIT_UNARY_TANH || called->mode == SPLIT_UNARY_ELU;
    return sound ? SPLIT_OK : SPLIT_ERROR_PARAMS;
}

void split_run_library_float(const split_machine* at, const split_op* op, uint32_t row) {
    const split_library_float_params* params =
        (const split_library_float_params*)split_at(at->program, op->params_offset);
    const split_view* input = split_view_of(at, op->input);
    const split_pixels in = split_pixels_of(input);
    const split_pixels out = split_pixels_of(split_view_of(at, op->output));
    split_nn_library_float_row(params->mode, split_read_float(at, input, row), &in,
                               split_write_float(at, op->output, row), &out);
}

split_status split_check_softmax_float(const uint8_t* program, const split_op* op, const split_op_views* views) {
    const split_softmax_float_params* softmax = (const split_softmax_float_params*)split_at(program, op->params_offset);
    if (!split_same_shape(views->input, views->output)) {
        return SPLIT_ERROR_SHAPE;
    }
    return split_are_limits(softmax->beta, softmax->beta) ? SPLIT_OK : SPLIT_ERROR_PARAMS;
}

void split_run_softmax_float(const split_machine* at, const split_op* op, uint32_t row) {
    const split_softmax_float_params* params =
        (const split_softmax_float_params*)split_at(at->program, op->params_offset);
    const split_view* input = split_view_of(at, op->input);
    const split_pixels in = split_pixels_of(input);
    const split_pixels out = split_pixels_of(split_view_of(at, op->output));
    split_nn_softmax_float_row(params->beta, split_read_float(at, input, row), &in,
                               split_write_float(at, op->output, row), &out);
}
