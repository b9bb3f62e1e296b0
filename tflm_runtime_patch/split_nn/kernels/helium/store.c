/* From sums to int8 on MVE, four at a time. Stack: below 150 bytes. */
#include "../target.h"

#if defined(SPLIT_NN_MVE)

#include "helium.h"

split_mve_scales split_mve_scales_of(const split_requantization* to, int32_t channels) {
    split_mve_scales scales = {*to, 0};
    if (to->step == 1) {
        const int8_t* shifts = to->shifts;
        int8x16_t largest = vdupq_n_s8(-1);
        for (uint32_t whole = (uint32_t)channels / SPLIT_MVE_BYTES; whole > 0; --whole) {
            largest = vmaxq_s8(largest, vldrbq_s8(shifts));
            shifts += SPLIT_MVE_BYTES;
        }
        const mve_pred16_t p = vctp8q((uint32_t)channels % SPLIT_MVE_BYTES);
        largest = vmaxq_m_s8(largest, largest, vldrbq_z_s8(shifts, p), p);
        scales.only_right = vmaxvq_s8(-1, largest) < 0;
    }
    return scales;
}

/* Any shift, any step. */
SPLIT_MVE_CASE void store(const split_requantization* to, int32_t channel, const int32_t* sums, int32_t count,
                          int8_t* output) {
    const int32_t step = to->step, zero_point = to->zero_point, low = to->min, high = to->max;
    const int32_t* multipliers = to->multipliers + channel * step;
    const int8_t* shifts = to->shifts + channel * step;
    const uint32x4_t entries = vmulq_n_u32(vidupq_n_u32(0, 1), (uint32_t)step);
    for (; count > 0; count -= SPLIT_MVE_WORDS) {
        const mve_pred16_t p = vctp32q((uint32_t)count);
        const int32x4_t multiplier = vldrwq_gather_shifted_offset_z_s32(multipliers, entries, p);
        const int32x4_t shift = vldrbq_gather_offset_z_s32(shifts, entries, p);
        const int32x4_t value = split_mve_requantize(vldrwq_s32(sums), multiplier, shift);
        vstrbq_p_s32(output, split_mve_to_range(value, zero_point, low, high), p);
        multipliers += SPLIT_MVE_WORDS * step;
        shifts += SPLIT_MVE_WORDS * step;
        sums += SPLIT_MVE_WORDS;
        output += SPLIT_MVE_WORDS;
    }
}

void split_mve_store(const split_mve_scales* scales, int32_t channel, const int32_t* sums, int32_t count,
                     int8_t* output) {
    int32_t left = count;
    if (scales->only_right) {
        const int32_t zero_point = scales->to.zero_point, low = scales->to.min, high = scales->to.max;
        const int32_t* multipliers = scales->to.multipliers + channel;
        const int8_t* shifts = scales->to.shifts + channel;
        for (uint32_t fours = (uint32_t)count / SPLIT_MVE_WORDS; fours > 0; --fours) {
            const int32x4_t value =
                split_mve_requantize_right(vldrwq_s32(sums), vldrwq_s32(multipliers), vldrbq_s32(shifts));
            vstrbq_s32(output, split_mve_to_range(value, zero_point, low, high));
            multipliers += SPLIT_MVE_WORDS;
            shifts += SPLIT_MVE_WORDS;
            sums += SPLIT_MVE_WORDS;
            output += SPLIT_MVE_WORDS;
        }
        left = count & (SPLIT_MVE_WORDS - 1);
    }
    if (left > 0) {
        store(&scales->to, channel + count - left, sums, left, output);
    }
}

#endif /* SPLIT_NN_MVE */
