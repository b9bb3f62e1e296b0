/* Walks a program: per step, resolve the rows and call the kernel. Trusts what split_nn_prepare() has
 * checked. Stack: SPLIT_MAX_WINDOW_ROWS pointers and one call's parameters, below 350 bytes on a 32-bit
 * machine, and the kernel's own. */
#include <string.h>

#include "split_nn.h"
#include "split_nn_kernels.h"
#include "split_nn_program.h"

typedef struct machine {
    const uint8_t* program;
    uint8_t* workspace;
} machine;

static const split_view* view_of(const machine* at, uint32_t view) {
    return split_view_at(at->program, view);
}

static split_pixels pixels_of(const split_view* view) {
    split_pixels pixels = {view->column_count, (int32_t)view->channel_count, (int32_t)view->pixel_stride_bytes};
    return pixels;
}

/* Where row `row` of a view starts, in the workspace or, for constants, in the program. */
static const uint8_t* read_row(const machine* at, const split_view* view, uint32_t row) {
    const split_storage* storage = split_storage_at(at->program, view->storage);
    const uint8_t* base = storage->kind == SPLIT_STORAGE_CONSTANT ? at->program : at->workspace;
    return base + split_row_offset(at->program, storage, view->first_row + row) + view->offset_bytes;
}

static uint8_t* write_row(const machine* at, const split_view* view, uint32_t row) {
    const split_storage* storage = split_storage_at(at->program, view->storage);
    return at->workspace + split_row_offset(at->program, storage, view->first_row + row) + view->offset_bytes;
}

static split_window window_of(const split_window_params* params) {
    split_window window = {params->kernel_rows, params->kernel_columns, params->stride_columns,
                           params->dilation_columns, params->pad_columns};
    return window;
}

static void window_rows(const machine* at, const split_op* op, uint32_t row, const int8_t** rows) {
    const split_window_params* window = (const split_window_params*)split_at(at->program, op->params_offset);
    const split_view* input = view_of(at, op->input);
    for (uint32_t k = 0; k < window->kernel_rows; ++k) {
        int32_t read = split_window_row(window, row, k);
        int inside = read >= 0 && read < input->row_count;
        rows[k] = inside ? (const int8_t*)read_row(at, input, (uint32_t)read) : NULL;
    }
}

static void run_convolution(const machine* at, const split_op* op, uint32_t row) {
    const split_conv_params* params = (const split_conv_params*)split_at(at->program, op->params_offset);
    const split_view* output = view_of(at, op->output);
    const split_pixels in = pixels_of(view_of(at, op->input));
    const split_pixels out = pixels_of(output);
    const int8_t* rows[SPLIT_MAX_WINDOW_ROWS];
    const split_conv conv = {
        window_of((const split_window_params*)(const void*)params),
        {(const int32_t*)split_at(at->program, params->multipliers_offset),
         (const int8_t*)split_at(at->program, params->shifts_offset), params->flags & SPLIT_WEIGHT_PER_CHANNEL ? 1 : 0,
         params->output_zero_point, params->output_min, params->output_max},
        (const int8_t*)split_at(at->program, params->weights_offset),
        (const int32_t*)split_at(at->program, params->bias_offset),
        params->input_zero_point,
        params->groups,
    };
    window_rows(at, op, row, rows);
    if (op->kind == SPLIT_OP_CONV) {
        split_nn_conv_row(&conv, rows, &in, (int8_t*)write_row(at, output, row), &out);
    } else {
        split_nn_depthwise_row(&conv, rows, &in, (int8_t*)write_row(at, output, row), &out);
    }
}

static void run_transpose_conv(const machine* at, const split_op* op, uint32_t row) {
    const split_transpose_conv_params* params =
        (const split_transpose_conv_params*)split_at(at->program, op->params_offset);
    const split_view* output = view_of(at, op->output);
    const split_view* input = view_of(at, op->input);
    const split_pixels in = pixels_of(input);
    const split_pixels out = pixels_of(output);
    const int8_t* rows[SPLIT_MAX_WINDOW_ROWS];
    const split_conv conv = {
        {params->kernel_rows, params->kernel_columns, params->stride_columns, 1, params->pad_columns},
        {(const int32_t*)split_at(at->program, params->multipliers_offset),
         (const int8_t*)split_at(at->program, params->shifts_offset), params->flags & SPLIT_WEIGHT_PER_CHANNEL ? 1 : 0,
         params->output_zero_point, params->output_min, params->output_max},
        (const int8_t*)split_at(at->program, params->weights_offset),
        (const int32_t*)split_at(at->program, params->bias_offset),
        params->input_zero_point,
        1,
    };
    for (uint32_t k = 0; k < params->kernel_rows; ++k) {
        int32_t read = split_transposed_row(params, row, k);
        int inside = read >= 0 && read < input->row_count;
        rows[k] = inside ? (const int8_t*)read_row(at, input, (uint32_t)read) : NULL;
    }
    split_nn_transpose_conv_row(&conv, rows, &in, (int8_t*)write_row(at, output, row), &out);
}

static void run_resize_nearest(const machine* at, const split_op* op, uint32_t row) {
    const split_resize_params* params = (const split_resize_params*)split_at(at->program, op->params_offset);
    const uint16_t* row_map = (const uint16_t*)split_at(at->program, params->row_map_offset);
    const uint16_t* column_map = (const uint16_t*)split_at(at->program, params->column_map_offset);
    const split_view* output = view_of(at, op->output);
    const split_view* input = view_of(at, op->input);
    const split_pixels in = pixels_of(input);
    const split_pixels out = pixels_of(output);
    const int8_t* read = (const int8_t*)read_row(at, input, row_map[row]);
    split_nn_resize_nearest_row(column_map, read, &in, (int8_t*)write_row(at, output, row), &out);
}

static void run_pool(const machine* at, const split_op* op, uint32_t row) {
    const split_pool_params* params = (const split_pool_params*)split_at(at->program, op->params_offset);
    const split_view* output = view_of(at, op->output);
    const split_pixels in = pixels_of(view_of(at, op->input));
    const split_pixels out = pixels_of(output);
    const int8_t* rows[SPLIT_MAX_WINDOW_ROWS];
    const split_pool pool = {window_of(params), params->output_min, params->output_max};
    window_rows(at, op, row, rows);
    if (op->kind == SPLIT_OP_AVERAGE_POOL) {
        split_nn_average_pool_row(&pool, rows, &in, (int8_t*)write_row(at, output, row), &out);
    } else {
        split_nn_max_pool_row(&pool, rows, &in, (int8_t*)write_row(at, output, row), &out);
    }
}

static split_operand operand_of(const machine* at, uint32_t index, uint32_t row, int32_t zero_point) {
    const split_view* view = view_of(at, index);
    split_operand operand = {
        (const int8_t*)read_row(at, view, view->row_count == 1 ? 0 : row),
        view->column_count == 1 ? 0 : (int32_t)view->pixel_stride_bytes,
        view->channel_count == 1 ? 0 : 1,
        zero_point,
    };
    return operand;
}

static void run_binary(const machine* at, const split_op* op, uint32_t row) {
    const split_binary_params* params = (const split_binary_params*)split_at(at->program, op->params_offset);
    const split_view* output = view_of(at, op->output);
    const split_pixels out = pixels_of(output);
    const split_operand first = operand_of(at, op->input, row, params->zero_point1);
    const split_operand second = operand_of(at, op->input2, row, params->zero_point2);
    int8_t* pixels = (int8_t*)write_row(at, output, row);
    if (op->kind == SPLIT_OP_MUL) {
        const split_mul mul = {params->output_multiplier, params->output_shift, params->output_zero_point,
                               params->output_min, params->output_max};
        split_nn_mul_row(&mul, &first, &second, pixels, &out);
    } else {
        const split_add add = {
            params->left_shift, params->multiplier1,       params->shift1,          params->multiplier2,
            params->shift2,     params->output_multiplier, params->output_shift,    params->output_zero_point,
            params->output_min, params->output_max,        op->kind == SPLIT_OP_SUB};
        split_nn_add_row(&add, &first, &second, pixels, &out);
    }
}

static void run_element_wise(const machine* at, const split_op* op, uint32_t row) {
    const void* params = split_at(at->program, op->params_offset);
    const split_view* output = view_of(at, op->output);
    const split_view* input = view_of(at, op->input);
    const split_pixels in = pixels_of(input);
    const split_pixels out = pixels_of(output);
    const uint8_t* read = read_row(at, input, row);
    uint8_t* write = write_row(at, output, row);
    if (op->kind == SPLIT_OP_LUT) {
        const split_lut_params* lut = (const split_lut_params*)params;
        const uint8_t* table = (const uint8_t*)split_at(at->program, lut->table_offset);
        split_nn_lut_row(table, output->element_bytes, read, &in, write, &out);
    } else if (op->kind == SPLIT_OP_SOFTMAX) {
        const split_softmax_params* softmax = (const split_softmax_params*)params;
        const int32_t* exps = (const int32_t*)split_at(at->program, softmax->exps_offset);
        split_nn_softmax_row(exps, (int32_t)softmax->exp_count, (const int8_t*)read, &in, (int8_t*)write, &out);
    } else {
        const split_quantize_params* from = (const split_quantize_params*)params;
        const split_quantize quantize = {from->scale, from->zero_point, from->output_min, from->output_max};
        split_nn_quantize_float_row(&quantize, read, &in, write, &out);
    }
}

static void run_pad(const machine* at, const split_op* op, uint32_t row) {
    const split_pad_params* params = (const split_pad_params*)split_at(at->program, op->params_offset);
    const split_view* output = view_of(at, op->output);
    const split_view* input = view_of(at, op->input);
    const split_pixels in = pixels_of(input);
    const split_pixels out = pixels_of(output);
    const split_pad pad = {params->pad_columns, params->pad_channels, output->element_bytes, (int8_t)params->value};
    const int inside = row >= params->pad_rows && row - params->pad_rows < input->row_count;
    const uint8_t* read = inside ? read_row(at, input, row - params->pad_rows) : NULL;
    split_nn_pad_row(&pad, read, &in, write_row(at, output, row), &out);
}

static void run_sum_feed(const machine* at, const split_op* op, uint32_t row) {
    const split_sum_params* params = (const split_sum_params*)split_at(at->program, op->params_offset);
    const split_view* input = view_of(at, op->input);
    const split_pixels in = pixels_of(input);
    int32_t* sums = (int32_t*)(void*)write_row(at, view_of(at, op->accumulator), 0);
    if (row == 0) {
        memset(sums, 0, (size_t)in.channels * sizeof(int32_t));
    }
    split_nn_sum_row((const int8_t*)read_row(at, input, row), &in, sums);
    if (row + 1 == input->row_count) {
        const split_sum sum = {params->mode,       params->count,     params->bias,
                               params->multiplier, params->shift,     params->output_zero_point,
                               params->output_min, params->output_max};
        split_nn_sum_finish(&sum, sums, in.channels, (int8_t*)write_row(at, view_of(at, op->output), 0));
    }
}

static void run_dense_feed(const machine* at, const split_op* op, uint32_t row) {
    const split_dense_params* params = (const split_dense_params*)split_at(at->program, op->params_offset);
    const split_view* input = view_of(at, op->input);
    const split_view* output = view_of(at, op->output);
    const split_pixels in = pixels_of(input);
    const int32_t outputs = (int32_t)output->channel_count;
    const int32_t row_elements = in.columns * in.channels;
    int32_t* sums = (int32_t*)(void*)write_row(at, view_of(at, op->accumulator), 0);
    const split_dense dense = {
        {(const int32_t*)split_at(at->program, params->multipliers_offset),
         (const int8_t*)split_at(at->program, params->shifts_offset), params->flags & SPLIT_WEIGHT_PER_CHANNEL ? 1 : 0,
         params->output_zero_point, params->output_min, params->output_max},
        (const int8_t*)split_at(at->program, params->weights_offset) + (int32_t)row * row_elements,
        input->row_count * row_elements,
    };
    if (row == 0) {
        memcpy(sums, split_at(at->program, params->bias_offset), (size_t)outputs * sizeof(int32_t));
    }
    split_nn_dense_row(&dense, (const int8_t*)read_row(at, input, row), &in, sums, outputs);
    if (row + 1 == input->row_count) {
        split_nn_dense_finish(&dense, sums, outputs, (int8_t*)write_row(at, output, 0));
    }
}

static void run_step(const machine* at, split_step step) {
    const split_op* op = split_op_at(at->program, step.op);
    switch (op->kind) {
        case SPLIT_OP_CONV:
        case SPLIT_OP_DEPTHWISE:
            run_convolution(at, op, step.row);
            break;
        case SPLIT_OP_AVERAGE_POOL:
        case SPLIT_OP_MAX_POOL:
            run_pool(at, op, step.row);
            break;
        case SPLIT_OP_ADD:
        case SPLIT_OP_SUB:
        case SPLIT_OP_MUL:
            run_binary(at, op, step.row);
            break;
        case SPLIT_OP_LUT:
        case SPLIT_OP_QUANTIZE_FLOAT:
        case SPLIT_OP_SOFTMAX:
            run_element_wise(at, op, step.row);
            break;
        case SPLIT_OP_PAD:
            run_pad(at, op, step.row);
            break;
        case SPLIT_OP_TRANSPOSE_CONV:
            run_transpose_conv(at, op, step.row);
            break;
        case SPLIT_OP_RESIZE_NEAREST:
            run_resize_nearest(at, op, step.row);
            break;
        case SPLIT_OP_SUM_FEED:
            run_sum_feed(at, op, step.row);
            break;
        default: /* prepare lets no other kind through */
            run_dense_feed(at, op, step.row);
            break;
    }
}

split_status split_nn_run(const void* program, uint8_t* workspace) {
    if (program == NULL || workspace == NULL) {
        return SPLIT_ERROR_NULL;
    }
    if ((uintptr_t)program % SPLIT_NN_ALIGNMENT != 0 || (uintptr_t)workspace % SPLIT_NN_ALIGNMENT != 0) {
        return SPLIT_ERROR_ALIGNMENT;
    }
    const machine at = {(const uint8_t*)program, workspace};
    const uint32_t step_count = split_header_of(at.program)->step_count;
    for (uint32_t i = 0; i < step_count; ++i) {
        run_step(&at, split_step_at(at.program, i));
    }
    return SPLIT_OK;
}
