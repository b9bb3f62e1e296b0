/* The rare arguments of the DSP kernels' requantisation. Stack: below 50 bytes. */
#include "split_nn_kernels.h"
#include "split_nn_target.h"

#if defined(SPLIT_NN_DSP)

#include "split_nn_dsp.h"

int32_t split_dsp_requantize_any(uint32_t sum, split_dsp_scale scale, int32_t nudge) {
    const int32_t value = split_requantize((int32_t)sum, scale.multiplier, ~scale.right);
    return split_clamp(split_wrapping_add(value, nudge >> 1), INT8_MIN, INT8_MAX);
}

#endif /* SPLIT_NN_DSP */
