/* What the float kernels share: pixels, limits, and how a product is added.
 *
 * TFLM's kernels are C++, where compilers fuse a product and the sum that takes it, on cores that can: the product is not
 * rounded. So these do, too, whatever the flags of C are, and give the bytes of the TFLM in the same build. Define
 * SPLIT_NN_STRICT_FLOAT where TFLM is built with -ffp-contract=off, or for the bytes of machines that cannot fuse: each
 * product is rounded then. Nothing else is ever fused here. Include this before any code of a file. Do not compile these
 * files with flags that allow reordering (-ffast-math, -Ofast). */
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

/* What compilers define where the core can fuse. */
#if defined(__FP_FAST_FMAF) || defined(__ARM_FEATURE_FMA) || defined(__FMA__)
#define SPLIT_CORE_FUSES 1
#else
#define SPLIT_CORE_FUSES 0
#endif

/* total + a * b. */
static inline float split_multiply_add(float total, float a, float b) {
#if SPLIT_CORE_FUSES && !defined(SPLIT_NN_STRICT_FLOAT)
    return __builtin_fmaf(a, b, total);
#else
    return total + a * b;
#endif
}

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
