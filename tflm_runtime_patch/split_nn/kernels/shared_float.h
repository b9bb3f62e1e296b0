/* What the float kernels share: pixels, limits, and a pragma that keeps multiply-adds from being fused.
 *
 * Include it before any code of a file. The code that follows rounds each product before it is added, whatever the
 * compiler's default. Do not compile these files with flags that allow reordering (-ffast-math, -Ofast). */
#ifndef SPLIT_NN_SHARED_FLOAT_H_
#define SPLIT_NN_SHARED_FLOAT_H_

#include <stddef.h>

#if defined(__FAST_MATH__)
#error "the float kernels' sums depend on their order: build them without -ffast-math"
#elif defined(__clang__)
#pragma clang fp contract(off)
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off")
#else
#pragma STDC FP_CONTRACT OFF
#endif

#include "shared_int8.h"
#include "kernels_float.h"

/* Pixel x of a row whose pixels lie `stride` bytes apart. */
static inline const float* split_pixel_float(const float* row, int32_t x, int32_t stride) {
    return (const float*)(const void*)((const uint8_t*)row + (ptrdiff_t)x * stride);
}

static inline float* split_output_float(float* row, int32_t x, int32_t stride) {
    return (float*)(void*)((uint8_t*)row + (ptrdiff_t)x * stride);
}

/* NaN stays NaN. A zero that equals a limit keeps its own sign. */
static inline float split_limit(const split_limits* limits, float value) {
    value = value < limits->low ? limits->low : value;
    return limits->high < value ? limits->high : value;
}

#endif /* SPLIT_NN_SHARED_FLOAT_H_ */
