/* What several int16 kernels share: pixels, dot products, and the way from a sum to an int16. */
#ifndef SPLIT_NN_SHARED_INT16_H_
#define SPLIT_NN_SHARED_INT16_H_

#include <stddef.h>

#include "shared_int8.h"
#include "target.h"
#include "kernels_int16.h"

/* This many products of int8 and int16 can be added up in an int32. */
#define SPLIT_INT32_PRODUCTS 511

/* Pixel x of a row whose pixels lie `stride` bytes apart. */
static inline const int16_t* split_pixel_int16(const int16_t* row, int32_t x, int32_t stride) {
    return (const int16_t*)(const void*)((const uint8_t*)row + (ptrdiff_t)x * stride);
}

static inline int16_t* split_output_int16(int16_t* row, int32_t x, int32_t stride) {
    return (int16_t*)(void*)((uint8_t*)row + (ptrdiff_t)x * stride);
}

/* The int64 sum is computed as unsigned, so that a hostile program makes it wrap, which is defined,
 * and not overflow. */
static inline uint64_t split_dot_int16(const int8_t* weights, const int16_t* values, int32_t count) {
    uint64_t sum = 0;
    for (int32_t done = 0; done < count; done += SPLIT_INT32_PRODUCTS) {
        const int32_t left = count - done;
        const int32_t stop = done + (left < SPLIT_INT32_PRODUCTS ? left : SPLIT_INT32_PRODUCTS);
        int32_t part = 0;
        for (int32_t i = done; i < stop; ++i) {
            part += weights[i] * values[i];
        }
        sum += (uint64_t)(int64_t)part;
    }
    return sum;
}

static inline uint64_t split_join_halves(const int32_t* halves) {
    return (uint64_t)(uint32_t)halves[0] | (uint64_t)(uint32_t)halves[1] << 32;
}

static inline void split_part_halves(uint64_t value, int32_t* halves) {
    halves[0] = (int32_t)(uint32_t)value;
    halves[1] = (int32_t)(uint32_t)(value >> 32);
}

/* value * multiplier * 2^(shift - 31), as TFLM computes it for an int64. -31 <= shift <= 7. The multiplier is cut to 16
 * bits. There is one rounding, to nearest, ties up. */
static inline int32_t split_requantize_wide(uint64_t value, int32_t multiplier, int32_t shift) {
    const int32_t reduced = multiplier < INT32_C(0x7FFF0000) ? (multiplier + (1 << 15)) >> 16 : 0x7FFF;
    const uint32_t down = (uint32_t)(15 - shift);
    const uint64_t scaled = value * (uint64_t)(int64_t)reduced + (UINT64_C(1) << (down - 1u));
    return (int32_t)(uint32_t)(uint64_t)((int64_t)scaled >> down);
}

/* split_requantize_wide() where the value fits an int32 and -16 <= shift <= 7. One product of 64 bits is enough, and what
 * the shift leaves lies in its two halves. */
static inline int32_t split_requantize_narrow(int32_t value, int32_t multiplier, int32_t shift) {
    const int32_t nearest = (multiplier >> 16) + ((multiplier >> 15) & 1);
    int32_t reduced = nearest < 0x7FFF ? nearest : 0x7FFF;
    SPLIT_IN_REGISTER(reduced); /* one product of two words, whose upper halves are not computed apart */
    const uint32_t down = (uint32_t)(15 - shift); /* 8..31 */
    const uint64_t scaled = (uint64_t)((int64_t)value * reduced) + (UINT32_C(1) << (down - 1u));
    return (int32_t)((uint32_t)scaled >> down | (uint32_t)(scaled >> 32) << (32u - down));
}

static inline int16_t split_to_int16(const split_scaling_int16* to, int32_t channel, uint64_t sum) {
    const int32_t entry = channel * to->step;
    const int32_t multiplier = to->multipliers[entry], shift = to->shifts[entry];
    int32_t value;
    if (to->sums_32) {
        value = split_requantize((int32_t)(uint32_t)sum, multiplier, shift);
    } else if ((uint64_t)(int64_t)(int32_t)(uint32_t)sum == sum && shift >= -16) {
        value = split_requantize_narrow((int32_t)(uint32_t)sum, multiplier, shift);
    } else {
        value = split_requantize_wide(sum, multiplier, shift);
    }
    return (int16_t)split_clamp(value, to->min, to->max);
}

#endif /* SPLIT_NN_SHARED_INT16_H_ */
