/* The kinds for int16 activations: what prepare checks, and what a step does. */
#include <string.h>

#include "../kernels/kernels_int16.h"
#include "../core/machine.h"
#include "../core/op_check.h"
#include "ops.h"

/* A shift that scales an int64 sum. */
#define MAX_WIDE_SHIFT 7
/* Points of an interpolated table. */
#define TABLE_ENTRIES 513u

static int is_int16_range(int32_t low, int32_t high) {
    return INT16_MIN <= low && low <= high && high <= INT16_MAX;
}

static int shifts_fit(const uint8_t* program, uint32_t shifts_offset, uint32_t entries, uint32_t flags) {
    const int8_t* shifts = (const int8_t*)split_at(program, shifts_offset);
    for (uint32_t i = 0; i < entries && (flags & SPLIT_WEIGHT_SUMS_32) == 0; ++i) {
        if (shifts[i] > MAX_WIDE_SHIFT) {
            return 0;
        }
    }
    return 1;
}

static split_status check_quantized(const uint8_t* program, const split_quantized_int16_params* quantized,
                                    uint32_t flags, uint64_t weights_bytes, uint32_t channels) {
    const uint32_t known = SPLIT_WEIGHT_PER_CHANNEL | SPLIT_WEIGHT_SUMS_32;
    const uint32_t entries = flags & SPLIT_WEIGHT_PER_CHANNEL ? channels : 1u;
    if (!is_int16_range(quantized->output_min, quantized->output_max) || (flags & ~known) != 0) {
        return SPLIT_ERROR_PARAMS;
    }
    const int sound =
        split_in_constants(program, quantized->weights_offset, weights_bytes, 16u) &&
        split_in_constants(program, quantized->bias_offset, (uint64_t)channels * 8u, 4u) &&
        split_requantization_is_sound(program, quantized->multipliers_offset, quantized->shifts_offset, entries) &&
        shifts_fit(program, quantized->shifts_offset, entries, flags);
    return sound ? SPLIT_OK : SPLIT_ERROR_CONSTANT;
}

static split_scaling_int16 scaling_of(const uint8_t* program, const split_quantized_int16_params* quantized,
                                      uint32_t flags) {
    split_scaling_int16 scaling = {
        (const int32_t*)split_at(program, quantized->multipliers_offset),
        (const int8_t*)split_at(program, quantized->shifts_offset),
        flags & SPLIT_WEIGHT_PER_CHANNEL ? 1 : 0,
        flags & SPLIT_WEIGHT_SUMS_32 ? 1 : 0,
        quantized->output_min,
        quantized->output_max,
    };
    return scaling;
}

split_status split_check_convolution_int16(const uint8_t* program, const split_op* op, const split_op_views* views) {
    const split_conv_int16_params* conv = (const split_conv_int16_params*)split_at(program, op->params_offset);
    uint64_t weights = 0;
    const int depthwise = op->kind == SPLIT_OP_DEPTHWISE_INT16;
    const split_status status = split_check_grouped_window(&conv->window, conv->groups, depthwise, views, &weights);
    if (status != SPLIT_OK) {
        return status;
    }
    return check_quantized(program, &conv->quantized, conv->flags, weights, views->output->channel_count);
}

split_status split_check_pool_int16(const uint8_t* program, const split_op* op, const split_op_views* views) {
    const split_pool_int16_params* pool = (const split_pool_int16_params*)split_at(program, op->params_offset);
    if (views->input->channel_count != views->output->channel_count) {
        return SPLIT_ERROR_SHAPE;
    }
    if (!is_int16_range(pool->output_min, pool->output_max) ||
        !split_in_range(pool->mode, SPLIT_POOL_AVERAGE, SPLIT_POOL_MAXIMUM)) {
        return SPLIT_ERROR_PARAMS;
    }
    return split_check_window(&pool->window, views);
}

split_status split_check_binary_int16(const uint8_t* program, const split_op* op, const split_op_views* views) {
    const split_binary_int16_params* binary = (const split_binary_int16_params*)split_at(program, op->params_offset);
    if (!split_broadcasts(views->input, views->output) || !split_broadcasts(views->input2, views->output)) {
        return SPLIT_ERROR_SHAPE;
    }
    const int sound = split_in_range(binary->mode, SPLIT_BINARY_ADD, SPLIT_BINARY_MUL) &&
                      split_in_range(binary->left_shift, 0, 15) && split_is_shift(binary->shift1) &&
                      split_is_shift(binary->shift2) && split_is_shift(binary->output_shift) &&
                      is_int16_range(binary->output_min, binary->output_max);
    return sound ? SPLIT_OK : SPLIT_ERROR_PARAMS;
}

split_status split_check_unary_int16(const uint8_t* program, const split_op* op, const split_op_views* views) {
    const split_unary_int16_params* unary = (const split_unary_int16_params*)split_at(program, op->params_offset);
    const uint32_t in = views->input->element_bytes;
    const uint32_t out = views->output->element_bytes;
    if (!split_same_shape(views->input, views->output)) {
        return SPLIT_ERROR_SHAPE;
    }
    int sound = is_int16_range(unary->input_zero_point, unary->input_zero_point) &&
                is_int16_range(unary->output_zero_point, unary->output_zero_point) && split_is_shift(unary->shift) &&
                split_is_shift(unary->negative_shift) && is_int16_range(unary->output_min, unary->output_max) &&
                unary->scale > 0.0f && unary->scale <= 3.402823466e+38f;
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
        views->output->channel_count > SPLIT_SOFTMAX_INT16_MAX_CHANNELS) {
        return SPLIT_ERROR_SHAPE;
    }
    if (!split_is_shift(softmax->shift)) {
        return SPLIT_ERROR_PARAMS;
    }
    const int sound = split_in_constants(program, softmax->exps_table_offset, TABLE_ENTRIES * 2u, 2u) &&
                      split_in_constants(program, softmax->reciprocals_table_offset, TABLE_ENTRIES * 2u, 2u);
    return sound ? SPLIT_OK : SPLIT_ERROR_CONSTANT;
}

split_status split_check_sum_int16(const uint8_t* program, const split_op* op, const split_op_views* views) {
    const split_sum_params* sum = (const split_sum_params*)split_at(program, op->params_offset);
    if (!split_feeds_one_pixel(views, views->output->channel_count) ||
        views->input->channel_count != views->output->channel_count ||
        split_pixel_count(views->input) > SPLIT_SUM_INT16_MAX_PIXELS) {
        return SPLIT_ERROR_SHAPE;
    }
    const int sound = (sum->mode == SPLIT_MEAN_AVERAGE_POOL || sum->mode == SPLIT_MEAN_MEAN) && sum->count >= 1 &&
                      split_is_shift(sum->shift) && is_int16_range(sum->output_zero_point, sum->output_zero_point) &&
                      is_int16_range(sum->output_min, sum->output_max);
    return sound ? SPLIT_OK : SPLIT_ERROR_PARAMS;
}

split_status split_check_dense_int16(const uint8_t* program, const split_op* op, const split_op_views* views) {
    const split_dense_int16_params* dense = (const split_dense_int16_params*)split_at(program, op->params_offset);
    const uint32_t out = views->output->channel_count;
    if (!split_feeds_one_pixel(views, (uint64_t)out * 2u)) {
        return SPLIT_ERROR_SHAPE;
    }
    const uint64_t weights = split_full_weights(views, split_pixel_count(views->input));
    return check_quantized(program, &dense->quantized, dense->flags, weights, out);
}

static const int16_t* read_int16(const split_machine* at, const split_view* view, uint32_t row) {
    return (const int16_t*)(const void*)split_read_row(at, view, row);
}

static int16_t* write_int16(const split_machine* at, uint32_t view, uint32_t row) {
    return (int16_t*)(void*)split_write_row(at, split_view_of(at, view), row);
}

static void window_rows(const split_machine* at, const split_op* op, uint32_t row, const int16_t** rows) {
    const split_window_params* window = (const split_window_params*)split_at(at->program, op->params_offset);
    const split_view* input = split_view_of(at, op->input);
    for (uint32_t k = 0; k < window->kernel_rows; ++k) {
        rows[k] = (const int16_t*)(const void*)split_row_inside(at, input, split_window_row(window, row, k));
    }
}

static void run_window(const split_machine* at, const split_op* op, uint32_t row) {
    const void* params = split_at(at->program, op->params_offset);
    const split_window window = split_window_of((const split_window_params*)params);
    const split_pixels in = split_pixels_of(split_view_of(at, op->input));
    const split_pixels out = split_pixels_of(split_view_of(at, op->output));
    int16_t* output = write_int16(at, op->output, row);
    const int16_t* rows[SPLIT_MAX_WINDOW_ROWS];
    window_rows(at, op, row, rows);
    if (SPLIT_NN_IS(op, SPLIT_OP_POOL_INT16)) {
        const split_pool_int16_params* from = (const split_pool_int16_params*)params;
        const split_pool pool = {window, from->output_min, from->output_max};
        split_nn_pool_int16_row(&pool, from->mode, rows, &in, output, &out);
        return;
    }
    const split_conv_int16_params* from = (const split_conv_int16_params*)params;
    const split_conv_int16 conv = {
        window,
        scaling_of(at->program, &from->quantized, from->flags),
        (const int8_t*)split_at(at->program, from->quantized.weights_offset),
        (const int32_t*)split_at(at->program, from->quantized.bias_offset),
        from->groups,
    };
    if (SPLIT_NN_IS(op, SPLIT_OP_CONV_INT16)) {
        split_nn_conv_int16_row(&conv, rows, &in, output, &out);
    } else if (SPLIT_NN_HAS(SPLIT_OP_DEPTHWISE_INT16)) {
        split_nn_depthwise_int16_row(&conv, rows, &in, output, &out);
    }
}

static split_operand_int16 operand_of(const split_machine* at, uint32_t index, uint32_t row) {
    const split_view* view = split_view_of(at, index);
    split_operand_int16 operand = {
        read_int16(at, view, view->row_count == 1 ? 0 : row),
        view->column_count == 1 ? 0 : (int32_t)(view->pixel_stride_bytes / sizeof(int16_t)),
        view->channel_count == 1 ? 0 : 1,
    };
    return operand;
}

static void run_binary(const split_machine* at, const split_op* op, uint32_t row) {
    const split_binary_int16_params* from = (const split_binary_int16_params*)split_at(at->program, op->params_offset);
    const split_binary_int16 binary = {
        from->mode,   from->left_shift,        from->multiplier1,  from->shift1,     from->multiplier2,
        from->shift2, from->output_multiplier, from->output_shift, from->output_min, from->output_max,
    };
    const split_pixels out = split_pixels_of(split_view_of(at, op->output));
    const split_operand_int16 first = operand_of(at, op->input, row);
    const split_operand_int16 second = operand_of(at, op->input2, row);
    split_nn_binary_int16_row(&binary, &first, &second, write_int16(at, op->output, row), &out);
}

static void run_unary(const split_machine* at, const split_op* op, uint32_t row) {
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

static void run_softmax(const split_machine* at, const split_op* op, uint32_t row) {
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
    split_nn_softmax_int16_row(&softmax, read_int16(at, input, row), &in, write_int16(at, op->output, row), &out);
}

static void run_sum(const split_machine* at, const split_op* op, uint32_t row) {
    const split_sum_params* params = (const split_sum_params*)split_at(at->program, op->params_offset);
    const split_view* input = split_view_of(at, op->input);
    const split_pixels in = split_pixels_of(input);
    int32_t* sums = (int32_t*)(void*)split_write_row(at, split_view_of(at, op->accumulator), 0);
    if (row == 0) {
        memset(sums, 0, (size_t)in.channels * sizeof(int32_t));
    }
    split_nn_sum_int16_row(read_int16(at, input, row), &in, sums);
    if (row + 1 == input->row_count) {
        const split_sum sum = split_sum_of(params);
        split_nn_sum_int16_finish(&sum, sums, in.channels, write_int16(at, op->output, 0));
    }
}

static void run_dense(const split_machine* at, const split_op* op, uint32_t row) {
    const split_dense_int16_params* params = (const split_dense_int16_params*)split_at(at->program, op->params_offset);
    const split_view* input = split_view_of(at, op->input);
    const split_pixels in = split_pixels_of(input);
    const int32_t outputs = (int32_t)split_view_of(at, op->output)->channel_count;
    const int32_t row_elements = in.columns * in.channels;
    int32_t* sums = (int32_t*)(void*)split_write_row(at, split_view_of(at, op->accumulator), 0);
    const split_dense_int16 dense = {
        scaling_of(at->program, &params->quantized, params->flags),
        (const int8_t*)split_at(at->program, params->quantized.weights_offset) + (int32_t)row * row_elements,
        input->row_count * row_elements,
    };
    if (row == 0) {
        memcpy(sums, split_at(at->program, params->quantized.bias_offset), (size_t)outputs * 2u * sizeof(int32_t));
    }
    split_nn_dense_int16_row(&dense, read_int16(at, input, row), &in, sums, outputs);
    if (row + 1 == input->row_count) {
        split_nn_dense_int16_finish(&dense, sums, outputs, write_int16(at, op->output, 0));
    }
}

void split_run_int16(const split_machine* at, const split_op* op, uint32_t row) {
    switch (op->kind) {
        case SPLIT_OP_CONV_INT16:
        case SPLIT_OP_DEPTHWISE_INT16:
        case SPLIT_OP_POOL_INT16:
            run_window(at, op, row);
            break;
        case SPLIT_OP_BINARY_INT16:
            if (SPLIT_NN_HAS(SPLIT_OP_BINARY_INT16)) {
                run_binary(at, op, row);
            }
            break;
        case SPLIT_OP_UNARY_INT16:
            if (SPLIT_NN_HAS(SPLIT_OP_UNARY_INT16)) {
                run_unary(at, op, row);
            }
            break;
        case SPLIT_OP_SOFTMAX_INT16:
            if (SPLIT_NN_HAS(SPLIT_OP_SOFTMAX_INT16)) {
                run_softmax(at, op, row);
            }
            break;
        case SPLIT_OP_SUM_FEED_INT16:
            if (SPLIT_NN_HAS(SPLIT_OP_SUM_FEED_INT16)) {
                run_sum(at, op, row);
            }
            break;
        case SPLIT_OP_DENSE_FEED_INT16:
            if (SPLIT_NN_HAS(SPLIT_OP_DENSE_FEED_INT16)) {
                run_dense(at, op, row);
            }
            break;
        default: /* split_nn_run() passes no other kind on */
            break;
    }
}
