/* Rare requantisations of the DSP kernels. Stack: below 50 bytes. */
#include "../kernels.h"
#include "../target.h"

#if defined(SPLIT_NN_DSP)

#include "dsp.h"

int32_t split_dsp_requantize_any(uint32_t sum, split_dsp_scale scale, int32_t nudge) {
    const int32_t value = split_requantize((int32_t)sum, scale.multiplier, ~scale.right);
    return split_clamp(split_wrapping_add(value, nudge >> 1), INT8_MIN, INT8_MAX);
}

void split_dsp_store_any(const split_requantization* to, const split_dsp_target* target, int32_t channel,
                         const uint32_t* sums, int32_t count, int8_t* pixel) {
    for (const int32_t end = channel + count; channel < end; ++channel) {
        pixel[channel] = split_dsp_to_int8(*sums++, split_dsp_scale_of(to, channel), target);
    }
}

#endif /* SPLIT_NN_DSP */
