/* LUT, QUANTIZE_FLOAT, SOFTMAX: what prepare checks, and what a step does. */
#include "../core/machine.h"
#include "checks.h"
#include "ops.h"

split_status split_check_lut(const uint8_t* program, const split_op* op, const split_op_views* views) {
    const split_lut_params* lut = (const split_lut_params*)split_at(program, op->params_offset);
    if (views->output->element_bytes == 2) {
        return SPLIT_ERROR_OP;
    }
    if (!split_same_shape(views->input, views->output)) {
        return SPLIT_ERROR_SHAPE;
    }
    return split_in_constants(program, lut->table_offset, 256u * (uint64_t)views->output->element_bytes, 4u)
               ? SPLIT_OK
               : SPLIT_ERROR_CONSTANT;
}

split_status split_check_quantize(const uint8_t* program, const split_op* op, const split_op_views* views) {
    const split_quantize_params* quantize = (const split_quantize_params*)split_at(program, op->params_offset);
    if (!split_same_shape(views->input, views->output)) {
        return SPLIT_ERROR_SHAPE;
    }
    const int signed_range = split_is_int8_range(quantize->output_min, quantize->output_max);
    const int unsigned_range =
        0 <= quantize->output_min && quantize->output_min <= quantize->output_max && quantize->output_max <= UINT8_MAX;
    /* A float that is not positive, or infinite, or NaN fails one of the comparisons. */
    const int scale_is_sound = quantize->scale > 0.0f && quantize->scale <= 3.402823466e+38f;
    const int sound =
        scale_is_sound && split_in_range(quantize->zero_point, INT8_MIN, UINT8_MAX) && (signed_range || unsigned_range);
    return sound ? SPLIT_OK : SPLIT_ERROR_PARAMS;
}

split_status split_check_softmax(const uint8_t* program, const split_op* op, const split_op_views* views) {
    const split_softmax_params* softmax = (const split_softmax_params*)split_at(program, op->params_offset);
    if (!split_same_shape(views->input, views->output) || views->output->channel_count > SPLIT_MAX_SOFTMAX_CHANNELS) {
        return SPLIT_ERROR_SHAPE;
    }
    if (softmax->exp_count < 1 || softmax->exp_count > SPLIT_MAX_EXPONENTIALS) {
        return SPLIT_ERROR_PARAMS;
    }
    if (!split_in_constants(program, softmax->exps_offset, (uint64_t)softmax->exp_count * 4u, 4u)) {
        return SPLIT_ERROR_CONSTANT;
    }
    const int32_t* exps = (const int32_t*)split_at(program, softmax->exps_offset);
    for (uint32_t i = 0; i < softmax->exp_count; ++i) {
        if (exps[i] < (i == 0 ? SPLIT_MIN_FIRST_EXPONENTIAL : 0)) {
            return SPLIT_ERROR_CONSTANT;
        }
    }
    return SPLIT_OK;
}

void split_run_element_wise(const split_machine* at, const split_op* op, uint32_t row) {
    const void* params = split_at(at->program, op->params_offset);
    const split_view* output = split_view_of(at, op->output);
    const split_view* input = split_view_of(at, op->input);
    const split_pixels in = split_pixels_of(input);
    const split_pixels out = split_pixels_of(output);
    const uint8_t* read = split_read_row(at, input, row);
    uint8_t* write = split_write_row(at, output, row);
    if (SPLIT_NN_IS(op, SPLIT_OP_LUT)) {
        const split_lut_params* lut = (const split_lut_params*)params;
        const uint8_t* table = (const uint8_t*)split_at(at->program, lut->table_offset);
        split_nn_lut_row(table, output->element_bytes, read, &in, write, &out);
    } else if (SPLIT_NN_IS(op, SPLIT_OP_SOFTMAX)) {
        const split_softmax_params* softmax = (const split_softmax_params*)params;
        const int32_t* exps = (const int32_t*)split_at(at->program, softmax->exps_offset);
        split_nn_softmax_row(exps, (int32_t)softmax->exp_count, (const int8_t*)read, &in, (int8_t*)write, &out);
    } else if (SPLIT_NN_HAS(SPLIT_OP_QUANTIZE_FLOAT)) {
        const split_quantize_params* from = (const split_quantize_params*)params;
        const split_quantize quantize = {from->scale, from->zero_point, from->output_min, from->output_max};
        split_nn_quantize_float_row(&quantize, read, &in, write, &out);
    }
}
