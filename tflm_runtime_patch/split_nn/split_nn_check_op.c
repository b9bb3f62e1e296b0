/* Does an op fit its views, are its parameters in range, and do its weights and tables lie in the program? */
#include "split_nn_check.h"
#include "split_nn_kernels.h"
#include "split_nn_program.h"

/* Pixels a SUM_FEED may add up: sums of int8 stay below 2^31 by a factor of two. */
#define MAX_SUMMED_PIXELS (UINT64_C(1) << 23)

typedef struct op_views {
    const split_view* output;
    const split_view* input;
    const split_view* input2;      /* NULL when the kind has none */
    const split_view* accumulator; /* likewise */
} op_views;

static int in_range(int32_t value, int32_t low, int32_t high) {
    return low <= value && value <= high;
}

static int is_zero_point(int32_t value) {
    return in_range(value, INT8_MIN, INT8_MAX);
}

static int is_shift(int32_t value) {
    return in_range(value, -31, 30);
}

static int is_int8_range(int32_t low, int32_t high) {
    return INT8_MIN <= low && low <= high && high <= INT8_MAX;
}

static int same_shape(const split_view* a, const split_view* b) {
    return a->row_count == b->row_count && a->column_count == b->column_count && a->channel_count == b->channel_count;
}

static int broadcasts(const split_view* operand, const split_view* output) {
    return (operand->row_count == 1 || operand->row_count == output->row_count) &&
           (operand->column_count == 1 || operand->column_count == output->column_count) &&
           (operand->channel_count == 1 || operand->channel_count == output->channel_count);
}

static int is_constant(const uint8_t* program, const split_view* view) {
    return split_storage_at(program, view->storage)->kind == SPLIT_STORAGE_CONSTANT;
}

static int in_constants(const uint8_t* program, uint32_t offset, uint64_t bytes, uint32_t alignment) {
    const split_header* header = split_header_of(program);
    return offset % alignment == 0 && split_lies_in(offset, bytes, header->constants_offset, header->total_bytes);
}

static int requantization_is_sound(const uint8_t* program, uint32_t multipliers_offset, uint32_t shifts_offset,
                                   uint32_t entries) {
    if (!in_constants(program, multipliers_offset, (uint64_t)entries * 4u, 4u) ||
        !in_constants(program, shifts_offset, entries, 1u)) {
        return 0;
    }
    const int8_t* shifts = (const int8_t*)split_at(program, shifts_offset);
    for (uint32_t i = 0; i < entries; ++i) {
        if (!is_shift(shifts[i])) {
            return 0;
        }
    }
    return 1;
}

static split_status check_window(const split_window_params* window, const op_views* views) {
    const uint64_t row_reach = (uint64_t)(views->output->row_count - 1u) * window->stride_rows;
    const uint64_t column_reach = (uint64_t)(views->output->column_count - 1u) * window->stride_columns;
    const int sound = in_range(window->kernel_rows, 1, SPLIT_MAX_WINDOW_ROWS) && window->kernel_columns >= 1 &&
                      window->stride_rows >= 1 && window->stride_columns >= 1 && window->dilation_rows >= 1 &&
                      window->dilation_columns >= 1 && row_reach < SPLIT_MAX_REACH && column_reach < SPLIT_MAX_REACH &&
                      (uint64_t)window->kernel_rows * window->dilation_rows < SPLIT_MAX_REACH &&
                      (uint64_t)window->kernel_columns * window->dilation_columns < SPLIT_MAX_REACH;
    return sound ? SPLIT_OK : SPLIT_ERROR_WINDOW;
}

static split_status check_convolution(const uint8_t* program, const split_op* op, const op_views* views) {
    const split_conv_params* conv = (const split_conv_params*)split_at(program, op->params_offset);
    const uint32_t in = views->input->channel_count;
    const uint32_t out = views->output->channel_count;
    split_status status = check_window((const split_window_params*)(const void*)conv, views);
    if (status != SPLIT_OK) {
        return status;
    }
    uint64_t weights_bytes = split_capped_product((uint64_t)conv->kernel_rows * conv->kernel_columns, out);
    if (conv->groups == 0) {
        return SPLIT_ERROR_PARAMS;
    }
    if (op->kind == SPLIT_OP_DEPTHWISE) {
        if (out % conv->groups != 0 || out / conv->groups != in) {
            return SPLIT_ERROR_SHAPE;
        }
    } else {
        if (in % conv->groups != 0 || out % conv->groups != 0) {
            return SPLIT_ERROR_SHAPE;
        }
        weights_bytes = split_capped_product(weights_bytes, in / conv->groups);
    }
    if (!is_zero_point(conv->input_zero_point) || !is_zero_point(conv->output_zero_point) ||
        !is_int8_range(conv->output_min, conv->output_max) || (conv->flags & ~SPLIT_WEIGHT_PER_CHANNEL) != 0) {
        return SPLIT_ERROR_PARAMS;
    }
    if (!in_constants(program, conv->weights_offset, weights_bytes, 16u) ||
        !in_constants(program, conv->bias_offset, (uint64_t)out * 4u, 4u) ||
        !requantization_is_sound(program, conv->multipliers_offset, conv->shifts_offset,
                                 conv->flags & SPLIT_WEIGHT_PER_CHANNEL ? out : 1u)) {
        return SPLIT_ERROR_CONSTANT;
    }
    return SPLIT_OK;
}

static split_status check_transpose_conv(const uint8_t* program, const split_op* op, const op_views* views) {
    const split_transpose_conv_params* conv = (const split_transpose_conv_params*)split_at(program, op->params_offset);
    const uint32_t out = views->output->channel_count;
    if (!in_range(conv->kernel_rows, 1, SPLIT_MAX_WINDOW_ROWS) || conv->kernel_columns < 1 || conv->stride_rows < 1 ||
        conv->stride_columns < 1) {
        return SPLIT_ERROR_WINDOW;
    }
    if (!is_zero_point(conv->input_zero_point) || !is_zero_point(conv->output_zero_point) ||
        !is_int8_range(conv->output_min, conv->output_max) ||
        (conv->flags & ~(uint32_t)SPLIT_WEIGHT_PER_CHANNEL) != 0) {
        return SPLIT_ERROR_PARAMS;
    }
    uint64_t weights_bytes = split_capped_product((uint64_t)conv->kernel_rows * conv->kernel_columns, out);
    weights_bytes = split_capped_product(weights_bytes, views->input->channel_count);
    if (!in_constants(program, conv->weights_offset, weights_bytes, 16u) ||
        !in_constants(program, conv->bias_offset, (uint64_t)out * 4u, 4u) ||
        !requantization_is_sound(program, conv->multipliers_offset, conv->shifts_offset,
                                 conv->flags & SPLIT_WEIGHT_PER_CHANNEL ? out : 1u)) {
        return SPLIT_ERROR_CONSTANT;
    }
    return SPLIT_OK;
}

/* Does a map of `entries` u16 lie in the constants and lead to nothing beyond `count`? */
static int map_is_sound(const uint8_t* program, uint32_t offset, uint32_t entries, uint32_t count) {
    if (!in_constants(program, offset, (uint64_t)entries * 2u, 2u)) {
        return 0;
    }
    const uint16_t* map = (const uint16_t*)split_at(program, offset);
    for (uint32_t i = 0; i < entries; ++i) {
        if (map[i] >= count) {
            return 0;
        }
    }
    return 1;
}

static split_status check_resize(const uint8_t* program, const split_op* op, const op_views* views) {
    const split_resize_params* resize = (const split_resize_params*)split_at(program, op->params_offset);
    const split_view* in = views->input;
    const split_view* out = views->output;
    if (in->channel_count != out->channel_count) {
        return SPLIT_ERROR_SHAPE;
    }
    const int sound = map_is_sound(program, resize->row_map_offset, out->row_count, in->row_count) &&
                      map_is_sound(program, resize->column_map_offset, out->column_count, in->column_count);
    return sound ? SPLIT_OK : SPLIT_ERROR_CONSTANT;
}

static split_status check_pool(const uint8_t* program, const split_op* op, const op_views* views) {
    const split_pool_params* pool = (const split_pool_params*)split_at(program, op->params_offset);
    if (views->input->channel_count != views->output->channel_count) {
        return SPLIT_ERROR_SHAPE;
    }
    if (!is_int8_range(pool->output_min, pool->output_max)) {
        return SPLIT_ERROR_PARAMS;
    }
    return check_window(pool, views);
}

static split_status check_binary(const uint8_t* program, const split_op* op, const op_views* views) {
    const split_binary_params* binary = (const split_binary_params*)split_at(program, op->params_offset);
    if (!broadcasts(views->input, views->output) || !broadcasts(views->input2, views->output)) {
        return SPLIT_ERROR_SHAPE;
    }
    const int sound = is_zero_point(binary->zero_point1) && is_zero_point(binary->zero_point2) &&
                      is_zero_point(binary->output_zero_point) && in_range(binary->left_shift, 0, 20) &&
                      is_shift(binary->shift1) && is_shift(binary->shift2) && is_shift(binary->output_shift) &&
                      is_int8_range(binary->output_min, binary->output_max);
    return sound ? SPLIT_OK : SPLIT_ERROR_PARAMS;
}

static split_status check_lut(const uint8_t* program, const split_op* op, const op_views* views) {
    const split_lut_params* lut = (const split_lut_params*)split_at(program, op->params_offset);
    if (!same_shape(views->input, views->output)) {
        return SPLIT_ERROR_SHAPE;
    }
    return in_constants(program, lut->table_offset, 256u * (uint64_t)views->output->element_bytes, 4u)
               ? SPLIT_OK
               : SPLIT_ERROR_CONSTANT;
}

static split_status check_quantize(const uint8_t* program, const split_op* op, const op_views* views) {
    const split_quantize_params* quantize = (const split_quantize_params*)split_at(program, op->params_offset);
    if (!same_shape(views->input, views->output)) {
        return SPLIT_ERROR_SHAPE;
    }
    const int signed_range = is_int8_range(quantize->output_min, quantize->output_max);
    const int unsigned_range =
        0 <= quantize->output_min && quantize->output_min <= quantize->output_max && quantize->output_max <= UINT8_MAX;
    /* A float that is not positive, or infinite, or NaN fails one of the comparisons. */
    const int scale_is_sound = quantize->scale > 0.0f && quantize->scale <= 3.402823466e+38f;
    const int sound =
        scale_is_sound && in_range(quantize->zero_point, INT8_MIN, UINT8_MAX) && (signed_range || unsigned_range);
    return sound ? SPLIT_OK : SPLIT_ERROR_PARAMS;
}

static split_status check_softmax(const uint8_t* program, const split_op* op, const op_views* views) {
    const split_softmax_params* softmax = (const split_softmax_params*)split_at(program, op->params_offset);
    if (!same_shape(views->input, views->output) || views->output->channel_count > SPLIT_SOFTMAX_MAX_CHANNELS) {
        return SPLIT_ERROR_SHAPE;
    }
    if (softmax->exp_count < 1 || softmax->exp_count > 256) {
        return SPLIT_ERROR_PARAMS;
    }
    if (!in_constants(program, softmax->exps_offset, (uint64_t)softmax->exp_count * 4u, 4u)) {
        return SPLIT_ERROR_CONSTANT;
    }
    const int32_t* exps = (const int32_t*)split_at(program, softmax->exps_offset);
    for (uint32_t i = 0; i < softmax->exp_count; ++i) {
        if (exps[i] < (i == 0 ? INT32_C(1) << 30 : 0)) {
            return SPLIT_ERROR_CONSTANT;
        }
    }
    return SPLIT_OK;
}

static int pad_fits(uint32_t before, uint32_t inner, uint32_t outer) {
    return split_lies_in(before, inner, 0, outer);
}

static split_status check_pad(const uint8_t* program, const split_op* op, const op_views* views) {
    const split_pad_params* pad = (const split_pad_params*)split_at(program, op->params_offset);
    const split_view* in = views->input;
    const split_view* out = views->output;
    if (!pad_fits(pad->pad_rows, in->row_count, out->row_count) ||
        !pad_fits(pad->pad_columns, in->column_count, out->column_count) ||
        !pad_fits(pad->pad_channels, in->channel_count, out->channel_count) ||
        in->element_bytes != out->element_bytes || (in->element_bytes != 1 && !same_shape(in, out))) {
        return SPLIT_ERROR_SHAPE;
    }
    return in_range(pad->value, INT8_MIN, INT8_MAX) ? SPLIT_OK : SPLIT_ERROR_PARAMS;
}

static int feeds_one_pixel(const op_views* views) {
    return views->output->row_count == 1 && views->output->column_count == 1 &&
           same_shape(views->accumulator, views->output);
}

static split_status check_sum(const uint8_t* program, const split_op* op, const op_views* views) {
    const split_sum_params* sum = (const split_sum_params*)split_at(program, op->params_offset);
    if (!feeds_one_pixel(views) || views->input->channel_count != views->output->channel_count ||
        (uint64_t)views->input->row_count * views->input->column_count > MAX_SUMMED_PIXELS) {
        return SPLIT_ERROR_SHAPE;
    }
    const int sound = (sum->mode == SPLIT_MEAN_AVERAGE_POOL || sum->mode == SPLIT_MEAN_MEAN) && sum->count >= 1 &&
                      is_shift(sum->shift) && is_zero_point(sum->output_zero_point) &&
                      is_int8_range(sum->output_min, sum->output_max);
    return sound ? SPLIT_OK : SPLIT_ERROR_PARAMS;
}

static split_status check_dense(const uint8_t* program, const split_op* op, const op_views* views) {
    const split_dense_params* dense = (const split_dense_params*)split_at(program, op->params_offset);
    const uint32_t out = views->output->channel_count;
    if (!feeds_one_pixel(views)) {
        return SPLIT_ERROR_SHAPE;
    }
    if (!is_zero_point(dense->input_zero_point) || !is_zero_point(dense->output_zero_point) ||
        !is_int8_range(dense->output_min, dense->output_max) ||
        (dense->flags & ~(uint32_t)SPLIT_WEIGHT_PER_CHANNEL) != 0) {
        return SPLIT_ERROR_PARAMS;
    }
    uint64_t weights_bytes = (uint64_t)views->input->row_count * views->input->column_count;
    weights_bytes = split_capped_product(weights_bytes, views->input->channel_count);
    weights_bytes = split_capped_product(weights_bytes, out);
    if (!in_constants(program, dense->weights_offset, weights_bytes, 16u) ||
        !in_constants(program, dense->bias_offset, (uint64_t)out * 4u, 4u) ||
        !requantization_is_sound(program, dense->multipliers_offset, dense->shifts_offset,
                                 dense->flags & SPLIT_WEIGHT_PER_CHANNEL ? out : 1u)) {
        return SPLIT_ERROR_CONSTANT;
    }
    return SPLIT_OK;
}

typedef split_status (*kind_check)(const uint8_t* program, const split_op* op, const op_views* views);

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
    static const kind_rule convolution = {check_convolution, sizeof(split_conv_params), 1, 0, 1, 1};
    static const kind_rule pool = {check_pool, sizeof(split_pool_params), 1, 0, 1, 1};
    static const kind_rule binary = {check_binary, sizeof(split_binary_params), 2, 0, 1, 1};
    static const kind_rule lut = {check_lut, sizeof(split_lut_params), 1, 0, 1, 0};
    static const kind_rule quantize = {check_quantize, sizeof(split_quantize_params), 1, 0, 4, 1};
    static const kind_rule softmax = {check_softmax, sizeof(split_softmax_params), 1, 0, 1, 1};
    static const kind_rule pad = {check_pad, sizeof(split_pad_params), 1, 0, 0, 0};
    static const kind_rule sum = {check_sum, sizeof(split_sum_params), 1, 1, 1, 1};
    static const kind_rule dense = {check_dense, sizeof(split_dense_params), 1, 1, 1, 1};
    static const kind_rule transpose_conv = {check_transpose_conv, sizeof(split_transpose_conv_params), 1, 0, 1, 1};
    static const kind_rule resize = {check_resize, sizeof(split_resize_params), 1, 0, 1, 1};
    switch (kind) {
        case SPLIT_OP_CONV:
        case SPLIT_OP_DEPTHWISE:
            return &convolution;
        case SPLIT_OP_AVERAGE_POOL:
        case SPLIT_OP_MAX_POOL:
            return &pool;
        case SPLIT_OP_ADD:
        case SPLIT_OP_SUB:
        case SPLIT_OP_MUL:
            return &binary;
        case SPLIT_OP_LUT:
            return &lut;
        case SPLIT_OP_QUANTIZE_FLOAT:
            return &quantize;
        case SPLIT_OP_SOFTMAX:
            return &softmax;
        case SPLIT_OP_PAD:
            return &pad;
        case SPLIT_OP_SUM_FEED:
            return &sum;
        case SPLIT_OP_DENSE_FEED:
            return &dense;
        case SPLIT_OP_TRANSPOSE_CONV:
            return &transpose_conv;
        case SPLIT_OP_RESIZE_NEAREST:
            return &resize;
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
    op_views views = {split_view_at(program, op->output), split_view_at(program, op->input), NULL, NULL};
    int sound = !is_constant(program, views.output) &&
                (rule->input_bytes == 0 || views.input->element_bytes == rule->input_bytes) &&
                (rule->output_bytes == 0 || views.output->element_bytes == rule->output_bytes);
    if (rule->operands == 2) {
        views.input2 = split_view_at(program, op->input2);
        sound = sound && views.input2->element_bytes == rule->input_bytes;
    }
    if (rule->accumulates) {
        views.accumulator = split_view_at(program, op->accumulator);
        sound = sound && views.accumulator->element_bytes == 4 && !is_constant(program, views.accumulator);
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
