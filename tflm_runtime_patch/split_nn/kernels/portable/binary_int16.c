/* BINARY_INT16: ADD, SUB and MUL, one output row. Stack: below 100 bytes. */
#include "../../generated/split_nn_format.h"
#include "../shared_int16.h"

#if !defined(SPLIT_NN_MVE)

static int32_t combine(const split_binary_int16* binary, int32_t first, int32_t second) {
    if (binary->mode == SPLIT_BINARY_MUL) {
        return first * second; /* at most 2^30 */
    }
    first = split_wrapping_shift_left(first, binary->left_shift);
    second = split_wrapping_shift_left(second, binary->left_shift);
    first = split_requantize(first, binary->multiplier1, binary->shift1);
    second = split_requantize(second, binary->multiplier2, binary->shift2);
    return binary->mode == SPLIT_BINARY_SUB ? split_wrapping_sub(first, second) : split_wrapping_add(first, second);
}

void split_nn_binary_int16_row(const split_binary_int16* binary, const split_operand_int16* first,
                               const split_operand_int16* second, int16_t* output, const split_pixels* out) {
    for (int32_t x = 0; x < out->columns; ++x) {
        const int16_t* a = first->data + (ptrdiff_t)x * first->pixel_stride;
        const int16_t* b = second->data + (ptrdiff_t)x * second->pixel_stride;
        int16_t* pixel = split_output_int16(output, x, out->stride);
        for (int32_t c = 0; c < out->channels; ++c) {
            const int32_t both = combine(binary, a[c * first->channel_stride], b[c * second->channel_stride]);
            const int32_t value = split_requantize(both, binary->output_multiplier, binary->output_shift);
            pixel[c] = (int16_t)split_clamp(value, binary->min, binary->max);
        }
    }
}

#endif /* !SPLIT_NN_MVE */
