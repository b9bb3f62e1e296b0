/* Does an op name views that exist, of the types its kind needs, and does its own check pass? */
#include "split_nn_op_check.h"
#include "split_nn_ops.h"

int split_requantization_is_sound(const uint8_t* program, uint32_t multipliers_offset, uint32_t shifts_offset,
                                  uint32_t entries) {
    if (!split_in_constants(program, multipliers_offset, (uint64_t)entries * 4u, 4u) ||
        !split_in_constants(program, shifts_offset, entries, 1u)) {
        return 0;
    }
    const int8_t* shifts = (const int8_t*)split_at(program, shifts_offset);
    for (uint32_t i = 0; i < entries; ++i) {
        if (!split_is_shift(shifts[i])) {
            return 0;
        }
    }
    return 1;
}

split_status split_check_window(const split_window_params* window, const split_op_views* views) {
    const uint64_t row_reach = (uint64_t)(views->output->row_count - 1u) * window->stride_rows;
    const uint64_t column_reach = (uint64_t)(views->output->column_count - 1u) * window->stride_columns;
    const int sound = split_in_range(window->kernel_rows, 1, SPLIT_MAX_WINDOW_ROWS) && window->kernel_columns >= 1 &&
                      window->stride_rows >= 1 && window->stride_columns >= 1 && window->dilation_rows >= 1 &&
                      window->dilation_columns >= 1 && row_reach < SPLIT_MAX_REACH && column_reach < SPLIT_MAX_REACH &&
                      (uint64_t)window->kernel_rows * window->dilation_rows < SPLIT_MAX_REACH &&
                      (uint64_t)window->kernel_columns * window->dilation_columns < SPLIT_MAX_REACH;
    return sound ? SPLIT_OK : SPLIT_ERROR_WINDOW;
}

typedef split_status (*kind_check)(const uint8_t* program, const split_op* op, const split_op_views* views);

/* What a kind's record and views must be before its own check may look at them. */
typedef struct kind_rule {
    kind_check check;
    uint8_t params_bytes;
    uint8_t operands;     /* input views */
    uint8_t accumulates;  /* has an accumulator view */
    uint8_t input_bytes;  /* bytes per element; 0: any */
    uint8_t output_bytes; /* likewise */
} kind_rule;

static const kind_rule* rule_of(uint32_t kind) {
    static const kind_rule convolution = {split_check_convolution, sizeof(split_conv_params), 1, 0, 1, 1};
    static const kind_rule pool = {split_check_pool, sizeof(split_pool_params), 1, 0, 1, 1};
    static const kind_rule binary = {split_check_binary, sizeof(split_binary_params), 2, 0, 1, 1};
    static const kind_rule lut = {split_check_lut, sizeof(split_lut_params), 1, 0, 1, 0};
    static const kind_rule quantize = {split_check_quantize, sizeof(split_quantize_params), 1, 0, 4, 1};
    static const kind_rule softmax = {split_check_softmax, sizeof(split_softmax_params), 1, 0, 1, 1};
    static const kind_rule pad = {split_check_pad, sizeof(split_pad_params), 1, 0, 0, 0};
    static const kind_rule sum = {split_check_sum, sizeof(split_sum_params), 1, 1, 1, 1};
    static const kind_rule dense = {split_check_dense, sizeof(split_dense_params), 1, 1, 1, 1};
    static const kind_rule transpose_conv = {
        split_check_transpose_conv, sizeof(split_transpose_conv_params), 1, 0, 1, 1};
    static const kind_rule resize = {split_check_resize, sizeof(split_resize_params), 1, 0, 1, 1};
    switch (kind) {
        case SPLIT_OP_CONV:
            return SPLIT_NN_HAS(SPLIT_OP_CONV) ? &convolution : NULL;
        case SPLIT_OP_DEPTHWISE:
            return SPLIT_NN_HAS(SPLIT_OP_DEPTHWISE) ? &convolution : NULL;
        case SPLIT_OP_AVERAGE_POOL:
            return SPLIT_NN_HAS(SPLIT_OP_AVERAGE_POOL) ? &pool : NULL;
        case SPLIT_OP_MAX_POOL:
            return SPLIT_NN_HAS(SPLIT_OP_MAX_POOL) ? &pool : NULL;
        case SPLIT_OP_ADD:
            return SPLIT_NN_HAS(SPLIT_OP_ADD) ? &binary : NULL;
        case SPLIT_OP_SUB:
            return SPLIT_NN_HAS(SPLIT_OP_SUB) ? &binary : NULL;
        case SPLIT_OP_MUL:
            return SPLIT_NN_HAS(SPLIT_OP_MUL) ? &binary : NULL;
        case SPLIT_OP_LUT:
            return SPLIT_NN_HAS(SPLIT_OP_LUT) ? &lut : NULL;
        case SPLIT_OP_QUANTIZE_FLOAT:
            return SPLIT_NN_HAS(SPLIT_OP_QUANTIZE_FLOAT) ? &quantize : NULL;
        case SPLIT_OP_SOFTMAX:
            return SPLIT_NN_HAS(SPLIT_OP_SOFTMAX) ? &softmax : NULL;
        case SPLIT_OP_PAD:
            return SPLIT_NN_HAS(SPLIT_OP_PAD) ? &pad : NULL;
        case SPLIT_OP_SUM_FEED:
            return SPLIT_NN_HAS(SPLIT_OP_SUM_FEED) ? &sum : NULL;
        case SPLIT_OP_DENSE_FEED:
            return SPLIT_NN_HAS(SPLIT_OP_DENSE_FEED) ? &dense : NULL;
        case SPLIT_OP_TRANSPOSE_CONV:
            return SPLIT_NN_HAS(SPLIT_OP_TRANSPOSE_CONV) ? &transpose_conv : NULL;
        case SPLIT_OP_RESIZE_NEAREST:
            return SPLIT_NN_HAS(SPLIT_OP_RESIZE_NEAREST) ? &resize : NULL;
        default:
            return NULL;
    }
}

split_status split_check_op(const uint8_t* program, uint32_t index) {
    const split_header* header = split_header_of(program);
    const split_op* op = split_op_at(program, index);
    const kind_rule* rule = rule_of(op->kind);
    if (rule == NULL || op->reserved != 0 || op->output >= header->view_count || op->input >= header->view_count ||
        (rule->operands == 2 ? op->input2 >= header->view_count : op->input2 != SPLIT_NONE) ||
        (rule->accumulates ? op->accumulator >= header->view_count : op->accumulator != SPLIT_NONE)) {
        return SPLIT_ERROR_OP;
    }
    split_op_views views = {split_view_at(program, op->output), split_view_at(program, op->input), NULL, NULL};
    int sound = !split_is_constant(program, views.output) &&
                (rule->input_bytes == 0 || views.input->element_bytes == rule->input_bytes) &&
                (rule->output_bytes == 0 || views.output->element_bytes == rule->output_bytes);
    if (rule->operands == 2) {
        views.input2 = split_view_at(program, op->input2);
        sound = sound && views.input2->element_bytes == rule->input_bytes;
    }
    if (rule->accumulates) {
        views.accumulator = split_view_at(program, op->accumulator);
        sound = sound && views.accumulator->element_bytes == 4 && !split_is_constant(program, views.accumulator);
    }
    if (!sound) {
        return SPLIT_ERROR_OP;
    }
    if (op->params_offset % 4u != 0 ||
        !split_lies_in(op->params_offset, rule->params_bytes, sizeof(split_header), header->total_bytes)) {
        return SPLIT_ERROR_PARAMS;
    }
    return rule->check(program, op, &views);
}
