/* What does this compiler build, and how is it told to inline? Of the variants of the kernels, at most one of these is
 * defined:
 *
 *   SPLIT_NN_MVE  Helium, integer part (Cortex-M52/M55/M85)       kernels/helium/
 *   SPLIT_NN_DSP  the DSP extension (Cortex-M4/M7/M33, ...)        kernels/dsp/
 *                 where words may be loaded from any address
 *
 * If neither is, the portable files are built. Every file is always compiled; on targets that are not its own it is
 * empty. Define SPLIT_NN_PORTABLE to get the portable kernels everywhere. */
#ifndef SPLIT_NN_TARGET_H_
#define SPLIT_NN_TARGET_H_

#include <stdint.h> /* a file without code must still declare something */

#if defined(SPLIT_NN_PORTABLE)
/* as asked */
#elif defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1)
#define SPLIT_NN_MVE 1
#if (__ARM_FEATURE_MVE & 2)
#define SPLIT_NN_MVE_FLOAT 1 /* and its floating-point part */
#endif
#elif defined(__ARM_FEATURE_DSP) && defined(__ARM_FEATURE_SIMD32) && defined(__ARM_FEATURE_UNALIGNED)
#define SPLIT_NN_DSP 1
#endif

/* Cores with eight registers for most instructions, where whole loops are in assembler. In a build for size, compilers find no
 * registers for them, even where they are told to optimise for speed later (split_nn_optimize.h). */
#if defined(__thumb__) && !defined(__thumb2__) && defined(__OPTIMIZE__) && !defined(__OPTIMIZE_SIZE__) && \
    !defined(SPLIT_NN_OPTIMIZED_FOR_SIZE)
#define SPLIT_THUMB_1 1
#endif

#if defined(__GNUC__)
#define SPLIT_NOINLINE __attribute__((noinline))
#define SPLIT_ALWAYS_INLINE static inline __attribute__((always_inline)) /* at -Os, too: a call takes stack */
#define SPLIT_IN_REGISTER(value) __asm__("" : "+r"(value)) /* the compiler knows nothing of it, and keeps this order */
#else
#define SPLIT_NOINLINE
#define SPLIT_IN_REGISTER(value) (void)(value)
#define SPLIT_ALWAYS_INLINE static inline
#endif

#endif /* SPLIT_NN_TARGET_H_ */
