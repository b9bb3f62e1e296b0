/* What the checks of all op kinds share: ranges, shapes, constants, windows. */
#ifndef SPLIT_NN_CHECKS_H_
#define SPLIT_NN_CHECKS_H_

#include "../core/check.h"
#include "../core/program.h"

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
    return split_in_range(value, SPLIT_MIN_SHIFT, SPLIT_MAX_SHIFT);
}

static inline int split_is_int8_range(int32_t low, int32_t high) {
    return INT8_MIN <= low && low <= high && high <= INT8_MAX;
}

static inline int split_is_int16_range(int32_t low, int32_t high) {
    return INT16_MIN <= low && low <= high && high <= INT16_MAX;
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

/* A feed's rows all add to one pixel: is there one, with `sums` int32 to add in? */
static inline int split_feeds_one_pixel(const split_op_views* views, uint64_t sums) {
    return views->output->row_count == 1 && views->output->column_count == 1 && views->accumulator->row_count == 1 &&
           views->accumulator->column_count == 1 && views->accumulator->channel_count == sums;
}

/* How many weights there are where every output channel has one for each input channel of `positions` pixels. */
static inline uint64_t split_full_weights(const split_op_views* views, uint64_t positions) {
    const uint64_t weights = split_capped_product(positions, views->input->channel_count);
    return split_capped_product(weights, views->output->channel_count);
}

static inline uint64_t split_pixel_count(const split_view* view) {
    return (uint64_t)view->row_count * view->column_count;
}

/* Do `entries` multipliers and shifts lie in the constants, every shift one that the arithmetic can do? */
int split_requantization_is_sound(const uint8_t* program, uint32_t multipliers_offset, uint32_t shifts_offset,
                                  uint32_t entries);
/* Are all fields in their ranges, no flags set but `known` ones, and what the record names for `weights_bytes` of weights
 * and the output's channels in the constants? */
split_status split_check_quantized(const uint8_t* program, const split_quantized_params* quantized, uint32_t flags,
                                   uint32_t known, uint64_t weights_bytes, uint32_t channels);
split_status split_check_quantized_int16(const uint8_t* program, const split_quantized_int16_params* quantized,
                                         uint32_t flags, uint64_t weights_bytes, uint32_t channels);

/* Is every position a window reaches an int32 without overflow, in pixels and in bytes? */
split_status split_check_window(const split_window_params* window, const split_op_views* views);

/* Has every window, as split_check_window() has let it pass, at least one tap inside the input? */
int split_every_window_meets_input(const split_window_params* window, const split_op_views* views);

/* The same as split_check_window(), and do `groups` (of a DEPTHWISE: the multiplier) fit the channels? Then *weights is how many weights the op
 * has. */
split_status split_check_grouped_window(const split_window_params* window, uint32_t groups, int depthwise,
                                        const split_op_views* views, uint64_t* weights);

/* Has row `row` of a view a place in the workspace or the program? */
static inline int split_has_address(const uint8_t* program, uint32_t view_index, uint32_t row) {
    const split_view* view = split_view_at(program, view_index);
    return split_row_offset(program, split_storage_at(program, view->storage), view->first_row + row) != SPLIT_NOWHERE;
}

/* The same of a row that may lie outside the view, where it is padding. */
static inline int split_tap_has_address(const uint8_t* program, uint32_t view, int32_t row) {
    return row < 0 || row >= split_view_at(program, view)->row_count || split_has_address(program, view, (uint32_t)row);
}

#endif /* SPLIT_NN_CHECKS_H_ */
