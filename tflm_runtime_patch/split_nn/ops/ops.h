/* Every kind of op: its check, which prepare calls once per op, and what the executor calls per step. */
#ifndef SPLIT_NN_OPS_H_
#define SPLIT_NN_OPS_H_

#include "../core/machine.h"
#include "checks.h"

/* Do the op's views and parameters fit each other, and do its weights and tables lie in the program? */
split_status split_check_convolution(const uint8_t* program, const split_op* op, const split_op_views* views);
split_status split_check_conv_sum(const uint8_t* program, const split_op* op, const split_op_views* views);
split_status split_check_transpose_conv(const uint8_t* program, const split_op* op, const split_op_views* views);
split_status split_check_resize(const uint8_t* program, const split_op* op, const split_op_views* views);
split_status split_check_pool(const uint8_t* program, const split_op* op, const split_op_views* views);
split_status split_check_binary(const uint8_t* program, const split_op* op, const split_op_views* views);
split_status split_check_lut(const uint8_t* program, const split_op* op, const split_op_views* views);
split_status split_check_quantize(const uint8_t* program, const split_op* op, const split_op_views* views);
split_status split_check_softmax(const uint8_t* program, const split_op* op, const split_op_views* views);
split_status split_check_pad(const uint8_t* program, const split_op* op, const split_op_views* views);
split_status split_check_sum(const uint8_t* program, const split_op* op, const split_op_views* views);
split_status split_check_bilinear(const uint8_t* program, const split_op* op, const split_op_views* views);
split_status split_check_gather(const uint8_t* program, const split_op* op, const split_op_views* views);
split_status split_check_depth_to_space(const uint8_t* program, const split_op* op, const split_op_views* views);
split_status split_check_matmul(const uint8_t* program, const split_op* op, const split_op_views* views);
split_status split_check_transpose(const uint8_t* program, const split_op* op, const split_op_views* views);
split_status split_check_pixel_sum(const uint8_t* program, const split_op* op, const split_op_views* views);
split_status split_check_dense(const uint8_t* program, const split_op* op, const split_op_views* views);
split_status split_check_convolution_int16(const uint8_t* program, const split_op* op, const split_op_views* views);
split_status split_check_pool_int16(const uint8_t* program, const split_op* op, const split_op_views* views);
split_status split_check_binary_int16(const uint8_t* program, const split_op* op, const split_op_views* views);
split_status split_check_unary_int16(const uint8_t* program, const split_op* op, const split_op_views* views);
split_status split_check_softmax_int16(const uint8_t* program, const split_op* op, const split_op_views* views);
split_status split_check_sum_int16(const uint8_t* program, const split_op* op, const split_op_views* views);
split_status split_check_dense_int16(const uint8_t* program, const split_op* op, const split_op_views* views);
split_status split_check_convolution_float(const uint8_t* program, const split_op* op, const split_op_views* views);
split_status split_check_pool_float(const uint8_t* program, const split_op* op, const split_op_views* views);
split_status split_check_binary_float(const uint8_t* program, const split_op* op, const split_op_views* views);
split_status split_check_unary_float(const uint8_t* program, const split_op* op, const split_op_views* views);
split_status split_check_sum_float(const uint8_t* program, const split_op* op, const split_op_views* views);
split_status split_check_dense_float(const uint8_t* program, const split_op* op, const split_op_views* views);

/* Step `row` of the op. */
void split_run_convolution(const split_machine* at, const split_op* op, uint32_t row);
void split_run_conv_sum(const split_machine* at, const split_op* op, uint32_t row);
void split_run_transpose_conv(const split_machine* at, const split_op* op, uint32_t row);
void split_run_resize_nearest(const split_machine* at, const split_op* op, uint32_t row);
void split_run_pool(const split_machine* at, const split_op* op, uint32_t row);
void split_run_binary(const split_machine* at, const split_op* op, uint32_t row);
void split_run_extreme(const split_machine* at, const split_op* op, uint32_t row);
void split_run_squared_difference(const split_machine* at, const split_op* op, uint32_t row);
void split_run_prelu(const split_machine* at, const split_op* op, uint32_t row);
void split_run_element_wise(const split_machine* at, const split_op* op, uint32_t row);
void split_run_pad(const split_machine* at, const split_op* op, uint32_t row);
void split_run_sum_feed(const split_machine* at, const split_op* op, uint32_t row);
void split_run_bilinear(const split_machine* at, const split_op* op, uint32_t row);
void split_run_gather(const split_machine* at, const split_op* op, uint32_t row);
void split_run_depth_to_space(const split_machine* at, const split_op* op, uint32_t row);
void split_run_matmul(const split_machine* at, const split_op* op, uint32_t row);
void split_run_transpose(const split_machine* at, const split_op* op, uint32_t row);
void split_run_pixel_sum(const split_machine* at, const split_op* op, uint32_t row);
void split_run_dense_feed(const split_machine* at, const split_op* op, uint32_t row);
void split_run_convolution_int16(const split_machine* at, const split_op* op, uint32_t row);
void split_run_pool_int16(const split_machine* at, const split_op* op, uint32_t row);
void split_run_binary_int16(const split_machine* at, const split_op* op, uint32_t row);
void split_run_unary_int16(const split_machine* at, const split_op* op, uint32_t row);
void split_run_softmax_int16(const split_machine* at, const split_op* op, uint32_t row);
void split_run_sum_feed_int16(const split_machine* at, const split_op* op, uint32_t row);
void split_run_dense_feed_int16(const split_machine* at, const split_op* op, uint32_t row);
void split_run_convolution_float(const split_machine* at, const split_op* op, uint32_t row);
void split_run_pool_float(const split_machine* at, const split_op* op, uint32_t row);
void split_run_binary_float(const split_machine* at, const split_op* op, uint32_t row);
void split_run_unary_float(const split_machine* at, const split_op* op, uint32_t row);
void split_run_sum_feed_float(const split_machine* at, const split_op* op, uint32_t row);
void split_run_dense_feed_float(const split_machine* at, const split_op* op, uint32_t row);

/* Carries out the moves that are due before the step, `moved` of all having been; returns how many have been now. */
uint32_t split_run_moves(const split_machine* at, uint32_t moved);

#endif /* SPLIT_NN_OPS_H_ */
