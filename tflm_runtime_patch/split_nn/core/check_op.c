/* Does an op name views that exist, of the types its kind needs, and does its own check pass? */
#include "../ops/ops.h"

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
    static const kind_rule conv_sum = {split_check_conv_sum, sizeof(split_conv_params), 1, 1, 1, 4};
    static const kind_rule conv_sum_last = {split_check_conv_sum, sizeof(split_conv_params), 1, 1, 1, 1};
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
    static const kind_rule bilinear = {split_check_bilinear, sizeof(split_bilinear_params), 1, 0, 1, 1};
    static const kind_rule gather = {split_check_gather, sizeof(split_gather_params), 1, 0, 4, 1};
    static const kind_rule depth_to_space = {split_check_depth_to_space, sizeof(split_block_params), 1, 0, 1, 1};
    static const kind_rule pixel_sum = {split_check_pixel_sum, sizeof(split_sum_params), 1, 0, 1, 1};
    static const kind_rule transpose = {split_check_transpose, sizeof(split_transpose_params), 1, 0, 1, 1};
    static const kind_rule matmul = {split_check_matmul, sizeof(split_matmul_params), 2, 0, 1, 1};
    static const kind_rule conv_int16 = {split_check_convolution_int16, sizeof(split_conv_int16_params), 1, 0, 2, 2};
    static const kind_rule pool_int16 = {split_check_pool_int16, sizeof(split_pool_int16_params), 1, 0, 2, 2};
    static const kind_rule binary_int16 = {split_check_binary_int16, sizeof(split_binary_int16_params), 2, 0, 2, 2};
    static const kind_rule unary_int16 = {split_check_unary_int16, sizeof(split_unary_int16_params), 1, 0, 0, 0};
    static const kind_rule softmax_int16 = {split_check_softmax_int16, sizeof(split_softmax_int16_params), 1, 0, 2, 2};
    static const kind_rule sum_int16 = {split_check_sum_int16, sizeof(split_sum_params), 1, 1, 2, 2};
    static const kind_rule dense_int16 = {split_check_dense_int16, sizeof(split_dense_int16_params), 1, 1, 2, 2};
    static const kind_rule conv_float = {split_check_convolution_float, sizeof(split_conv_float_params), 1, 0, 4, 4};
    static const kind_rule pool_float = {split_check_pool_float, sizeof(split_pool_float_params), 1, 0, 4, 4};
    static const kind_rule binary_float = {split_check_binary_float, sizeof(split_binary_float_params), 2, 0, 4, 4};
    static const kind_rule unary_float = {split_check_unary_float, sizeof(split_unary_float_params), 1, 0, 4, 4};
    static const kind_rule sum_float = {split_check_sum_float, sizeof(split_sum_float_params), 1, 1, 4, 4};
    static const kind_rule dense_float = {split_check_dense_float, sizeof(split_dense_float_params), 1, 1, 4, 4};
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
        case SPLIT_OP_MINIMUM:
            return SPLIT_NN_HAS(SPLIT_OP_MINIMUM) ? &binary : NULL;
        case SPLIT_OP_MAXIMUM:
            return SPLIT_NN_HAS(SPLIT_OP_MAXIMUM) ? &binary : NULL;
        case SPLIT_OP_SQUARED_DIFFERENCE:
            return SPLIT_NN_HAS(SPLIT_OP_SQUARED_DIFFERENCE) ? &binary : NULL;
        case SPLIT_OP_PRELU:
            return SPLIT_NN_HAS(SPLIT_OP_PRELU) ? &binary : NULL;
        case SPLIT_OP_PIXEL_SUM:
            return SPLIT_NN_HAS(SPLIT_OP_PIXEL_SUM) ? &pixel_sum : NULL;
        case SPLIT_OP_RESIZE_BILINEAR:
            return SPLIT_NN_HAS(SPLIT_OP_RESIZE_BILINEAR) ? &bilinear : NULL;
        case SPLIT_OP_GATHER:
            return SPLIT_NN_HAS(SPLIT_OP_GATHER) ? &gather : NULL;
        case SPLIT_OP_DEPTH_TO_SPACE:
            return SPLIT_NN_HAS(SPLIT_OP_DEPTH_TO_SPACE) ? &depth_to_space : NULL;
        case SPLIT_OP_TRANSPOSE:
            return SPLIT_NN_HAS(SPLIT_OP_TRANSPOSE) ? &transpose : NULL;
        case SPLIT_OP_BATCH_MATMUL:
            return SPLIT_NN_HAS(SPLIT_OP_BATCH_MATMUL) ? &matmul : NULL;
        case SPLIT_OP_CONV_INT16:
            return SPLIT_NN_HAS(SPLIT_OP_CONV_INT16) ? &conv_int16 : NULL;
        case SPLIT_OP_DEPTHWISE_INT16:
            return SPLIT_NN_HAS(SPLIT_OP_DEPTHWISE_INT16) ? &conv_int16 : NULL;
        case SPLIT_OP_POOL_INT16:
            return SPLIT_NN_HAS(SPLIT_OP_POOL_INT16) ? &pool_int16 : NULL;
        case SPLIT_OP_BINARY_INT16:
            return SPLIT_NN_HAS(SPLIT_OP_BINARY_INT16) ? &binary_int16 : NULL;
        case SPLIT_OP_UNARY_INT16:
            return SPLIT_NN_HAS(SPLIT_OP_UNARY_INT16) ? &unary_int16 : NULL;
        case SPLIT_OP_SOFTMAX_INT16:
            return SPLIT_NN_HAS(SPLIT_OP_SOFTMAX_INT16) ? &softmax_int16 : NULL;
        case SPLIT_OP_SUM_FEED_INT16:
            return SPLIT_NN_HAS(SPLIT_OP_SUM_FEED_INT16) ? &sum_int16 : NULL;
        case SPLIT_OP_CONV_SUM:
            return SPLIT_NN_HAS(SPLIT_OP_CONV_SUM) ? &conv_sum : NULL;
        case SPLIT_OP_CONV_SUM_LAST:
            return SPLIT_NN_HAS(SPLIT_OP_CONV_SUM_LAST) ? &conv_sum_last : NULL;
        case SPLIT_OP_DENSE_FEED_INT16:
            return SPLIT_NN_HAS(SPLIT_OP_DENSE_FEED_INT16) ? &dense_int16 : NULL;
        case SPLIT_OP_CONV_FLOAT:
            return SPLIT_NN_HAS(SPLIT_OP_CONV_FLOAT) ? &conv_float : NULL;
        case SPLIT_OP_DEPTHWISE_FLOAT:
            return SPLIT_NN_HAS(SPLIT_OP_DEPTHWISE_FLOAT) ? &conv_float : NULL;
        case SPLIT_OP_POOL_FLOAT:
            return SPLIT_NN_HAS(SPLIT_OP_POOL_FLOAT) ? &pool_float : NULL;
        case SPLIT_OP_BINARY_FLOAT:
            return SPLIT_NN_HAS(SPLIT_OP_BINARY_FLOAT) ? &binary_float : NULL;
        case SPLIT_OP_UNARY_FLOAT:
            return SPLIT_NN_HAS(SPLIT_OP_UNARY_FLOAT) ? &unary_float : NULL;
        case SPLIT_OP_SUM_FEED_FLOAT:
            return SPLIT_NN_HAS(SPLIT_OP_SUM_FEED_FLOAT) ? &sum_float : NULL;
        case SPLIT_OP_DENSE_FEED_FLOAT:
            return SPLIT_NN_HAS(SPLIT_OP_DENSE_FEED_FLOAT) ? &dense_float : NULL;
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
