/* From sums to int8. Stack: below 80 bytes. */
#include "../target.h"

#if !defined(SPLIT_NN_DSP) && !defined(SPLIT_NN_MVE)

#include "store.h"

void split_store_channels(const split_requantization* to, int32_t first, const uint32_t* sums, int32_t count,
                          int8_t* output) {
    const int32_t step = to->step, zero_point = to->zero_point, low = to->min, high = to->max;
    const int32_t* multiplier = to->multipliers + first * step;
    const int8_t* shift = to->shifts + first * step;
    for (const uint32_t* const end = sums + count; sums != end; ++sums) {
        const int32_t value = split_requantize_sum(*sums, *multiplier, *shift);
        *output++ = (int8_t)split_clamp(split_wrapping_add(value, zero_point), low, high);
        multiplier += step;
        shift += step;
    }
}

#endif /* !SPLIT_NN_DSP && !SPLIT_NN_MVE */
