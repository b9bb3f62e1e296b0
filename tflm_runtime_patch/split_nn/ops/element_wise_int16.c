/* UNARY_INT16, SOFTMAX_INT16: what prepare checks, and what a step does. */
#include "../core/machine.h"
#include "checks.h"
#include "int16.h"
#include "ops.h"

split_status split_check_unary_int16(const uint8_t* program, const split_op* op, const split_op_views* views) {
    const split_unary_int16_params* unary = (const split_unary_int16_params*)split_at(program, op->params_offset);
    const uint32_t in = views->input->element_bytes;
    const uint32_t out = views->output->element_bytes;
    if (!split_same_shape(views->input, views->output)) {
        return SPLIT_ERROR_SHAPE;
    }
    int sound = split_is_int16_range(unary->input_zero_point, unary->input_zero_point) &&
                split_is_int16_range(unary->output_zero_point, unary->output_zero_point) &&
                split_is_shift(unary->shift) && split_is_shift(unary->negative_shift) &&
                split_is_int16_range(unary->output_min, unary->output_max) && unary->scale > 0.0f &&
                unary->scale <= 3.402823466e+38f;
    switch (unary->mode) {
        case SPLIT_UNARY_REQUANTIZE:
            sound =
                sound && in <= 2 && out <= 2 && (out == 2 || split_is_int8_range(unary->output_min, unary->output_max));
            break;
        case SPLIT_UNARY_FROM_FLOAT:
            sound = sound && in == 4 && out == 2;
            break;
        case SPLIT_UNARY_TO_FLOAT:
            sound = sound && in == 2 && out == 4;
            break;
        default:
            sound = 0;
            break;
    }
    return sound ? SPLIT_OK : SPLIT_ERROR_PARAMS;
}

split_status split_check_softmax_int16(const uint8_t* program, const split_op* op, const split_op_views* views) {
    const split_softmax_int16_params* softmax = (const split_softmax_int16_params*)split_at(program, op->params_offset);
    if (!split_same_shape(views->input, views->output) ||
        views->output->channel_count > SPLIT_MAX_SOFTMAX_CHANNELS_INT16) {
        return SPLIT_ERROR_SHAPE;
    }
    if (!split_is_shift(softmax->shift)) {
        return SPLIT_ERROR_PARAMS;
    }
    const int sound =
        split_in_constants(program, softmax->exps_table_offset, 2u * SPLIT_INTERPOLATED_ENTRIES, 2u) &&
        split_in_constants(program, softmax->reciprocals_table_offset, 2u * SPLIT_INTERPOLATED_ENTRIES, 2u);
    return sound ? SPLIT_OK : SPLIT_ERROR_CONSTANT;
}

void split_run_unary_int16(const split_machine* at, const split_op* op, uint32_t row) {
    const split_unary_int16_params* from = (const split_unary_int16_params*)split_at(at->program, op->params_offset);
    const split_view* input = split_view_of(at, op->input);
    const split_view* output = split_view_of(at, op->output);
    const split_unary_int16 unary = {
        from->mode,
        from->input_zero_point,
        from->output_zero_point,
        from->multiplier,
        from->shift,
        from->negative_multiplier,
        from->negative_shift,
        from->output_min,
        from->output_max,
        from->scale,
        input->element_bytes,
        output->element_bytes,
    };
    const split_pixels in = split_pixels_of(input);
    const split_pixels out = split_pixels_of(output);
    split_nn_unary_int16_row(&unary, split_read_row(at, input, row), &in, split_write_row(at, output, row), &out);
}

void split_run_softmax_int16(const split_machine* at, const split_op* op, uint32_t row) {
    const split_softmax_int16_params* from =
        (const split_softmax_int16_params*)split_at(at->program, op->params_offset);
    const split_softmax_int16 softmax = {
        (const int16_t*)split_at(at->program, from->exps_table_offset),
        (const int16_t*)split_at(at->program, from->reciprocals_table_offset),
        from->multiplier,
        from->shift,
    };
    const split_view* input = split_view_of(at, op->input);
    const split_pixels in = split_pixels_of(input);
    const split_pixels out = split_pixels_of(split_view_of(at, op->output));
    split_nn_softmax_int16_row(&softmax, split_read_int16(at, input, row), &in, split_write_int16(at, op->output, row),
                               &out);
}
