/* The float32 kinds: what prepare checks, and what a step does. */
#include <string.h>

#include "../kernels/kernels_float.h"
#include "../core/machine.h"
#include "../core/op_check.h"
#include "ops.h"

/* NaN fails the comparison; infinities may be limits. */
static int are_limits(float low, float high) {
    return low <= high;
}

split_status split_check_convolution_float(const uint8_t* program, const split_op* op, const split_op_views* views) {
    const split_conv_float_params* conv = (const split_conv_float_params*)split_at(program, op->params_offset);
    uint64_t weights = 0;
    const int depthwise = op->kind == SPLIT_OP_DEPTHWISE_FLOAT;
    const split_status status = split_check_grouped_window(&conv->window, conv->groups, depthwise, views, &weights);
    if (status != SPLIT_OK) {
        return status;
    }
    if (!are_limits(conv->output_min, conv->output_max) || conv->flags != 0) {
        return SPLIT_ERROR_PARAMS;
    }
    const int sound = split_in_constants(program, conv->weights_offset, split_capped_product(weights, 4u), 16u) &&
                      split_in_constants(program, conv->bias_offset, (uint64_t)views->output->channel_count * 4u, 4u);
    return sound ? SPLIT_OK : SPLIT_ERROR_CONSTANT;
}

split_status split_check_pool_float(const uint8_t* program, const split_op* op, const split_op_views* views) {
    const split_pool_float_params* pool = (const split_pool_float_params*)split_at(program, op->params_offset);
    if (views->input->channel_count != views->output->channel_count) {
        return SPLIT_ERROR_SHAPE;
    }
    if (!are_limits(pool->output_min, pool->output_max) ||
        !split_in_range(pool->mode, SPLIT_POOL_AVERAGE, SPLIT_POOL_MAXIMUM)) {
        return SPLIT_ERROR_PARAMS;
    }
    return split_check_window(&pool->window, views);
}

split_status split_check_binary_float(const uint8_t* program, const split_op* op, const split_op_views* views) {
    const split_binary_float_params* binary = (const split_binary_float_params*)split_at(program, op->params_offset);
    if (!split_broadcasts(views->input, views->output) || !split_broadcasts(views->input2, views->output)) {
        return SPLIT_ERROR_SHAPE;
    }
    const int sound = split_in_range(binary->mode, SPLIT_BINARY_ADD, SPLIT_BINARY_MUL) &&
                      are_limits(binary->output_min, binary->output_max);
    return sound ? SPLIT_OK : SPLIT_ERROR_PARAMS;
}

split_status split_check_unary_float(const uint8_t* program, const split_op* op, const split_op_views* views) {
    const split_unary_float_params* unary = (const split_unary_float_params*)split_at(program, op->params_offset);
    if (!split_same_shape(views->input, views->output)) {
        return SPLIT_ERROR_SHAPE;
    }
    const int sound = (unary->mode == SPLIT_UNARY_CLAMP || unary->mode == SPLIT_UNARY_LEAKY) &&
                      are_limits(unary->low, unary->high) && are_limits(unary->slope, unary->slope);
    return sound ? SPLIT_OK : SPLIT_ERROR_PARAMS;
}

split_status split_check_sum_float(const uint8_t* program, const split_op* op, const split_op_views* views) {
    const split_sum_float_params* sum = (const split_sum_float_params*)split_at(program, op->params_offset);
    if (!split_feeds_one_pixel(views, views->output->channel_count) ||
        views->input->channel_count != views->output->channel_count) {
        return SPLIT_ERROR_SHAPE;
    }
    return sum->count >= 1.0f && are_limits(sum->output_min, sum->output_max) ? SPLIT_OK : SPLIT_ERROR_PARAMS;
}

split_status split_check_dense_float(const uint8_t* program, const split_op* op, const split_op_views* views) {
    const split_dense_float_params* dense = (const split_dense_float_params*)split_at(program, op->params_offset);
    const uint32_t out = views->output->channel_count;
    if (!split_feeds_one_pixel(views, out)) {
        return SPLIT_ERROR_SHAPE;
    }
    if (!are_limits(dense->output_min, dense->output_max)) {
        return SPLIT_ERROR_PARAMS;
    }
    const uint64_t weights = split_full_weights(views, split_pixel_count(views->input));
    const int sound = split_in_constants(program, dense->weights_offset, split_capped_product(weights, 4u), 16u) &&
                      split_in_constants(program, dense->bias_offset, (uint64_t)out * 4u, 4u);
    return sound ? SPLIT_OK : SPLIT_ERROR_CONSTANT;
}

static const float* read_float(const split_machine* at, const split_view* view, uint32_t row) {
    return (const float*)(const void*)split_read_row(at, view, row);
}

static float* write_float(const split_machine* at, uint32_t view, uint32_t row) {
    return (float*)(void*)split_write_row(at, split_view_of(at, view), row);
}

static void run_window(const split_machine* at, const split_op* op, uint32_t row) {
    const void* params = split_at(at->program, op->params_offset);
    const split_window_params* window_params = (const split_window_params*)params;
    const split_window window = split_window_of(window_params);
    const split_view* input = split_view_of(at, op->input);
    const split_pixels in = split_pixels_of(input);
    const split_pixels out = split_pixels_of(split_view_of(at, op->output));
    float* output = write_float(at, op->output, row);
    const float* rows[SPLIT_MAX_WINDOW_ROWS];
    for (uint32_t k = 0; k < window_params->kernel_rows; ++k) {
        rows[k] = (const float*)(const void*)split_row_inside(at, input, split_window_row(window_params, row, k));
    }
    if (SPLIT_NN_IS(op, SPLIT_OP_POOL_FLOAT)) {
        const split_pool_float_params* from = (const split_pool_float_params*)params;
        const split_pool_float pool = {window, {from->output_min, from->output_max}, from->mode};
        split_nn_pool_float_row(&pool, rows, &in, output, &out);
        return;
    }
    const split_conv_float_params* from = (const split_conv_float_params*)params;
    const split_conv_float conv = {
        window,
        {from->output_min, from->output_max},
        (const float*)split_at(at->program, from->weights_offset),
        (const float*)split_at(at->program, from->bias_offset),
        from->groups,
    };
    if (SPLIT_NN_IS(op, SPLIT_OP_CONV_FLOAT)) {
        split_nn_conv_float_row(&conv, rows, &in, output, &out);
    } else if (SPLIT_NN_HAS(SPLIT_OP_DEPTHWISE_FLOAT)) {
        split_nn_depthwise_float_row(&conv, rows, &in, output, &out);
    }
}

static split_operand_float operand_of(const split_machine* at, uint32_t index, uint32_t row) {
    const split_view* view = split_view_of(at, index);
    split_operand_float operand = {
        read_float(at, view, view->row_count == 1 ? 0 : row),
        view->column_count == 1 ? 0 : (int32_t)(view->pixel_stride_bytes / sizeof(float)),
        view->channel_count == 1 ? 0 : 1,
    };
    return operand;
}

static void run_element_wise(const split_machine* at, const split_op* op, uint32_t row) {
    const void* params = split_at(at->program, op->params_offset);
    const split_view* input = split_view_of(at, op->input);
    const split_pixels out = split_pixels_of(split_view_of(at, op->output));
    float* output = write_float(at, op->output, row);
    if (SPLIT_NN_IS(op, SPLIT_OP_BINARY_FLOAT)) {
        const split_binary_float_params* from = (const split_binary_float_params*)params;
        const split_limits limits = {from->output_min, from->output_max};
        const split_operand_float first = operand_of(at, op->input, row);
        const split_operand_float second = operand_of(at, op->input2, row);
        split_nn_binary_float_row(from->mode, &limits, &first, &second, output, &out);
        return;
    }
    if (SPLIT_NN_HAS(SPLIT_OP_UNARY_FLOAT)) {
        const split_unary_float_params* from = (const split_unary_float_params*)params;
        const split_unary_float unary = {from->mode, from->low, from->high, from->slope};
        const split_pixels in = split_pixels_of(input);
        split_nn_unary_float_row(&unary, read_float(at, input, row), &in, output, &out);
    }
}

static void run_feed(const split_machine* at, const split_op* op, uint32_t row) {
    const void* params = split_at(at->program, op->params_offset);
    const split_view* input = split_view_of(at, op->input);
    const split_pixels in = split_pixels_of(input);
    const int32_t outputs = (int32_t)split_view_of(at, op->output)->channel_count;
    const int is_last = row + 1 == input->row_count;
    float* sums = write_float(at, op->accumulator, 0);
    if (row == 0) {
        memset(sums, 0, (size_t)outputs * sizeof(float));
    }
    if (SPLIT_NN_IS(op, SPLIT_OP_SUM_FEED_FLOAT)) {
        const split_sum_float_params* from = (const split_sum_float_params*)params;
        const split_limits limits = {from->output_min, from->output_max};
        split_nn_sum_float_row(read_float(at, input, row), &in, sums);
        if (is_last) {
            split_nn_sum_float_finish(&limits, from->count, sums, outputs, write_float(at, op->output, 0));
        }
        return;
    }
    if (!SPLIT_NN_HAS(SPLIT_OP_DENSE_FEED_FLOAT)) {
        return;
    }
    const split_dense_float_params* from = (const split_dense_float_params*)params;
    const split_limits limits = {from->output_min, from->output_max};
    const int32_t row_elements = in.columns * in.channels;
    const float* weights = (const float*)split_at(at->program, from->weights_offset);
    const split_dense_float dense = {weights + (int32_t)row * row_elements, input->row_count * row_elements};
    split_nn_dense_float_row(&dense, read_float(at, input, row), &in, sums, outputs);
    if (is_last) {
        const float* bias = (const float*)split_at(at->program, from->bias_offset);
        split_nn_dense_float_finish(&limits, bias, sums, outputs, write_float(at, op->output, 0));
    }
}

void split_run_float(const split_machine* at, const split_op* op, uint32_t row) {
    switch (op->kind) {
        case SPLIT_OP_CONV_FLOAT:
        case SPLIT_OP_DEPTHWISE_FLOAT:
        case SPLIT_OP_POOL_FLOAT:
            run_window(at, op, row);
            break;
        case SPLIT_OP_BINARY_FLOAT:
        case SPLIT_OP_UNARY_FLOAT:
            run_element_wise(at, op, row);
            break;
        default:
            run_feed(at, op, row);
            break;
    }
}
