/* What fixed_point.h leaves out of line because it is rare. */
#include "fixed_point.h"

int32_t split_requantize_any(int32_t value, int32_t multiplier, int32_t shift) {
    const int32_t left = shift > 0 ? shift : 0;
    const int32_t right = shift > 0 ? 0 : -shift;
    return split_rounding_shift_right(split_high_mul(split_wrapping_shift_left(value, left), multiplier), right);
}
