/* Walks a program: per step, the op's own run function. Trusts what split_nn_prepare() has
 * checked. Stack: SPLIT_MAX_WINDOW_ROWS pointers and one call's parameters, below 350 bytes on a 32-bit
 * machine, and the kernel's own. */
#include "../split_nn.h"
#include "../ops/ops.h"

static void run_step(const split_machine* at, split_step step) {
    const split_op* op = split_op_at(at->program, step.op);
    switch (op->kind) {
        case SPLIT_OP_CONV:
        case SPLIT_OP_DEPTHWISE:
            if (SPLIT_NN_HAS(SPLIT_OP_CONV) || SPLIT_NN_HAS(SPLIT_OP_DEPTHWISE)) {
                split_run_convolution(at, op, step.row);
            }
            break;
        case SPLIT_OP_CONV_SUM:
        case SPLIT_OP_CONV_SUM_LAST:
            if (SPLIT_NN_HAS(SPLIT_OP_CONV_SUM) || SPLIT_NN_HAS(SPLIT_OP_CONV_SUM_LAST)) {
                split_run_conv_sum(at, op, step.row);
            }
            break;
        case SPLIT_OP_AVERAGE_POOL:
        case SPLIT_OP_MAX_POOL:
            if (SPLIT_NN_HAS(SPLIT_OP_AVERAGE_POOL) || SPLIT_NN_HAS(SPLIT_OP_MAX_POOL)) {
                split_run_pool(at, op, step.row);
            }
            break;
        case SPLIT_OP_ADD:
        case SPLIT_OP_SUB:
        case SPLIT_OP_MUL:
            if (SPLIT_NN_HAS(SPLIT_OP_ADD) || SPLIT_NN_HAS(SPLIT_OP_SUB) || SPLIT_NN_HAS(SPLIT_OP_MUL)) {
                split_run_binary(at, op, step.row);
            }
            break;
        case SPLIT_OP_MINIMUM:
        case SPLIT_OP_MAXIMUM:
            if (SPLIT_NN_HAS(SPLIT_OP_MINIMUM) || SPLIT_NN_HAS(SPLIT_OP_MAXIMUM)) {
                split_run_extreme(at, op, step.row);
            }
            break;
        case SPLIT_OP_SQUARED_DIFFERENCE:
            if (SPLIT_NN_HAS(SPLIT_OP_SQUARED_DIFFERENCE)) {
                split_run_squared_difference(at, op, step.row);
            }
            break;
        case SPLIT_OP_PRELU:
            if (SPLIT_NN_HAS(SPLIT_OP_PRELU)) {
                split_run_prelu(at, op, step.row);
            }
            break;
        case SPLIT_OP_LUT:
        case SPLIT_OP_QUANTIZE_FLOAT:
        case SPLIT_OP_SOFTMAX:
            if (SPLIT_NN_HAS(SPLIT_OP_LUT) || SPLIT_NN_HAS(SPLIT_OP_QUANTIZE_FLOAT) || SPLIT_NN_HAS(SPLIT_OP_SOFTMAX)) {
                split_run_element_wise(at, op, step.row);
            }
            break;
        case SPLIT_OP_PAD:
            if (SPLIT_NN_HAS(SPLIT_OP_PAD)) {
                split_run_pad(at, op, step.row);
            }
            break;
        case SPLIT_OP_TRANSPOSE_CONV:
            if (SPLIT_NN_HAS(SPLIT_OP_TRANSPOSE_CONV)) {
                split_run_transpose_conv(at, op, step.row);
            }
            break;
        case SPLIT_OP_RESIZE_NEAREST:
            if (SPLIT_NN_HAS(SPLIT_OP_RESIZE_NEAREST)) {
                split_run_resize_nearest(at, op, step.row);
            }
            break;
        case SPLIT_OP_RESIZE_BILINEAR:
            if (SPLIT_NN_HAS(SPLIT_OP_RESIZE_BILINEAR)) {
                split_run_bilinear(at, op, step.row);
            }
            break;
        case SPLIT_OP_GATHER:
            if (SPLIT_NN_HAS(SPLIT_OP_GATHER)) {
                split_run_gather(at, op, step.row);
            }
            break;
        case SPLIT_OP_DEPTH_TO_SPACE:
            if (SPLIT_NN_HAS(SPLIT_OP_DEPTH_TO_SPACE)) {
                split_run_depth_to_space(at, op, step.row);
            }
            break;
        case SPLIT_OP_PIXEL_SUM:
            if (SPLIT_NN_HAS(SPLIT_OP_PIXEL_SUM)) {
                split_run_pixel_sum(at, op, step.row);
            }
            break;
        case SPLIT_OP_TRANSPOSE:
            if (SPLIT_NN_HAS(SPLIT_OP_TRANSPOSE)) {
                split_run_transpose(at, op, step.row);
            }
            break;
        case SPLIT_OP_BATCH_MATMUL:
            if (SPLIT_NN_HAS(SPLIT_OP_BATCH_MATMUL)) {
                split_run_matmul(at, op, step.row);
            }
            break;
        case SPLIT_OP_SUM_FEED:
            if (SPLIT_NN_HAS(SPLIT_OP_SUM_FEED)) {
                split_run_sum_feed(at, op, step.row);
            }
            break;
        case SPLIT_OP_DENSE_FEED:
            if (SPLIT_NN_HAS(SPLIT_OP_DENSE_FEED)) {
                split_run_dense_feed(at, op, step.row);
            }
            break;
        case SPLIT_OP_CONV_INT16:
        case SPLIT_OP_DEPTHWISE_INT16:
            if (SPLIT_NN_HAS(SPLIT_OP_CONV_INT16) || SPLIT_NN_HAS(SPLIT_OP_DEPTHWISE_INT16)) {
                split_run_convolution_int16(at, op, step.row);
            }
            break;
        case SPLIT_OP_POOL_INT16:
            if (SPLIT_NN_HAS(SPLIT_OP_POOL_INT16)) {
                split_run_pool_int16(at, op, step.row);
            }
            break;
        case SPLIT_OP_BINARY_INT16:
            if (SPLIT_NN_HAS(SPLIT_OP_BINARY_INT16)) {
                split_run_binary_int16(at, op, step.row);
            }
            break;
        case SPLIT_OP_UNARY_INT16:
            if (SPLIT_NN_HAS(SPLIT_OP_UNARY_INT16)) {
                split_run_unary_int16(at, op, step.row);
            }
            break;
        case SPLIT_OP_SOFTMAX_INT16:
            if (SPLIT_NN_HAS(SPLIT_OP_SOFTMAX_INT16)) {
                split_run_softmax_int16(at, op, step.row);
            }
            break;
        case SPLIT_OP_SUM_FEED_INT16:
            if (SPLIT_NN_HAS(SPLIT_OP_SUM_FEED_INT16)) {
                split_run_sum_feed_int16(at, op, step.row);
            }
            break;
        case SPLIT_OP_DENSE_FEED_INT16:
            if (SPLIT_NN_HAS(SPLIT_OP_DENSE_FEED_INT16)) {
                split_run_dense_feed_int16(at, op, step.row);
            }
            break;
        case SPLIT_OP_CONV_FLOAT:
        case SPLIT_OP_DEPTHWISE_FLOAT:
            if (SPLIT_NN_HAS(SPLIT_OP_CONV_FLOAT) || SPLIT_NN_HAS(SPLIT_OP_DEPTHWISE_FLOAT)) {
                split_run_convolution_float(at, op, step.row);
            }
            break;
        case SPLIT_OP_POOL_FLOAT:
            if (SPLIT_NN_HAS(SPLIT_OP_POOL_FLOAT)) {
                split_run_pool_float(at, op, step.row);
            }
            break;
        case SPLIT_OP_BINARY_FLOAT:
            if (SPLIT_NN_HAS(SPLIT_OP_BINARY_FLOAT)) {
                split_run_binary_float(at, op, step.row);
            }
            break;
        case SPLIT_OP_UNARY_FLOAT:
            if (SPLIT_NN_HAS(SPLIT_OP_UNARY_FLOAT)) {
                split_run_unary_float(at, op, step.row);
            }
            break;
        case SPLIT_OP_SUM_FEED_FLOAT:
            if (SPLIT_NN_HAS(SPLIT_OP_SUM_FEED_FLOAT)) {
                split_run_sum_feed_float(at, op, step.row);
            }
            break;
        case SPLIT_OP_DENSE_FEED_FLOAT:
            if (SPLIT_NN_HAS(SPLIT_OP_DENSE_FEED_FLOAT)) {
                split_run_dense_feed_float(at, op, step.row);
            }
            break;
        default: /* prepare lets no other kind through */
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
    split_machine at = {(const uint8_t*)program, workspace, 0};
    const split_header* header = split_header_of(at.program);
    uint32_t moved = 0;
    for (; at.step < header->step_count; ++at.step) {
        if (SPLIT_NN_HAS(SPLIT_MOVES_BIT)) {
            moved = split_run_moves(&at, moved);
        }
        run_step(&at, split_step_at(at.program, at.step));
    }
    return SPLIT_OK;
}
