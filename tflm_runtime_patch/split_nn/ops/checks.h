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

/* A feeding op adds all its input rows to one output pixel. Is there exactly one, and does the accumulator have `sums`
 * int32? */
static inline int split_feeds_one_pixel(const split_op_views* views, uint64_t sums) {
    return views->output->row_count == 1 && views->output->column_count == 1 && views->accumulator->row_count == 1 &&
           views->accumulator->column_count == 1 && views->accumulator->channel_count == sums;
}

/* The number of weights if every output channel has one per input channel at each of `positions` pixels. */
static inline uint64_t split_full_weights(const split_op_views* views, uint64_t positions) {
    const uint64_t weights = split_capped_product(positions, views->input->channel_count);
    return split_capped_product(weights, views->output->channel_count);
}

static inline uint64_t split_pixel_count(const split_view* view) {
    return (uint64_t)view->row_count * view->column_count;
}

/* Do `entries` multipliers and shifts lie in the constants, and is every shift within the arithmetic's range? */
int split_requantization_is_sound(const uint8_t* program, uint32_t multipliers_offset, uint32_t shifts_offset,
                                  uint32_t entries);
/* Are all fields in their ranges and only `known` flags set? Do the `weights_bytes` of weights, and the biases,
 * multipliers and shifts of `channels` output channels, lie in the constants? */
split_status split_check_quantized(const uint8_t* program, const split_quantized_params* quantized, uint32_t flags,
                                   uint32_t known, uint64_t weights_bytes, uint32_t channels);
split_status split_check_quantized_int16(const uint8_t* program, const split_quantized_int16_params* quantized,
                                         uint32_t flags, uint64_t weights_bytes, uint32_t channels);

/* Does every position that a window reaches fit an int32, in pixels and in bytes? */
split_status split_check_window(const split_window_params* window, const split_op_views* views);

/* A pool: do the channels agree, are its numbers `sound`, does split_check_window() pass, and has every window at least one
 * tap inside the input? */
split_status split_check_pool_window(const split_window_params* window, const split_op_views* views, int sound);

/* Does split_check_window() pass, and do `groups` (the multiplier of a DEPTHWISE) fit the channels? Sets *weights to
 * the number of weights. */
split_status split_check_grouped_window(const split_window_params* window, uint32_t groups, int depthwise,
                                        const split_op_views* views, uint64_t* weights);

/* Does row `row` of a view have an address in the workspace or the program? */
static inline int split_has_address(const uint8_t* program, uint32_t view_index, uint32_t row) {
    const split_view* view = split_view_at(program, view_index);
    return split_row_offset(program, split_storage_at(program, view->storage), view->first_row + row) != SPLIT_NOWHERE;
}

/* Does each row of a view have an address? Asked once per op whose steps read many rows in common. */
static inline int split_rows_have_addresses(const uint8_t* program, const split_view* view) {
    const split_storage* storage = split_storage_at(program, view->storage);
    int found = 1;
    for (uint32_t row = 0; found && row < view->row_count; ++row) {
        found = split_row_offset(program, storage, view->first_row + row) != SPLIT_NOWHERE;
    }
    return found;
}

/* The same for a row that may be padding, outside the view: padding needs no address. */
static inline int split_tap_has_address(const uint8_t* program, uint32_t view, int32_t row) {
    return row < 0 || row >= split_view_at(program, view)->row_count || split_has_address(program, view, (uint32_t)row);
}

#endif /* SPLIT_NN_CHECKS_H_ */
