/* What the checks of all op kinds share: ranges, shapes, constants, windows. */
#ifndef SPLIT_NN_OP_CHECK_H_
#define SPLIT_NN_OP_CHECK_H_

#include "split_nn_check.h"
#include "split_nn_program.h"

typedef struct split_op_views {
    const split_view* output;
    const split_view* input;
    const split_view* input2;      /* NULL when the kind has none */
    const split_view* accumulator; /* likewise */
} split_op_views;

static inline int split_in_range(int32_t value, int32_t low, int32_t high) {
    return low <= value && value <= high;
}

static inline int split_is_zero_point(int32_t value) {
    return split_in_range(value, INT8_MIN, INT8_MAX);
}

static inline int split_is_shift(int32_t value) {
    return split_in_range(value, -31, 30);
}

static inline int split_is_int8_range(int32_t low, int32_t high) {
    return INT8_MIN <= low && low <= high && high <= INT8_MAX;
}

static inline int split_same_shape(const split_view* a, const split_view* b) {
    return a->row_count == b->row_count && a->column_count == b->column_count && a->channel_count == b->channel_count;
}

static inline int split_broadcasts(const split_view* operand, const split_view* output) {
    return (operand->row_count == 1 || operand->row_count == output->row_count) &&
           (operand->column_count == 1 || operand->column_count == output->column_count) &&
           (operand->channel_count == 1 || operand->channel_count == output->channel_count);
}

static inline int split_is_constant(const uint8_t* program, const split_view* view) {
    return split_storage_at(program, view->storage)->kind == SPLIT_STORAGE_CONSTANT;
}

static inline int split_in_constants(const uint8_t* program, uint32_t offset, uint64_t bytes, uint32_t alignment) {
    const split_header* header = split_header_of(program);
    return offset % alignment == 0 && split_lies_in(offset, bytes, header->constants_offset, header->total_bytes);
}

/* Do `entries` multipliers and shifts lie in the constants, every shift one that the arithmetic can do? */
int split_requantization_is_sound(const uint8_t* program, uint32_t multipliers_offset, uint32_t shifts_offset,
                                  uint32_t entries);
/* Is every position a window reaches an int32 without overflow? */
split_status split_check_window(const split_window_params* window, const split_op_views* views);

/* Do `groups` (of a DEPTHWISE: the multiplier) fit the channels? Then *weights is how many weights the op has. */
split_status split_check_groups(uint32_t groups, int depthwise, const split_window_params* window,
                                const split_op_views* views, uint64_t* weights);

#endif /* SPLIT_NN_OP_CHECK_H_ */
