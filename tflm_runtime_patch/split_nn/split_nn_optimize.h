/* These sources are meant to be built with -O2, whatever level the rest of the firmware has. Where a build system does not
 * say so (Arduino builds with -Os, a debug build with -O0), this does: include it before anything else.
 *
 * At -Os the kernels take 3 to 40 % more instructions, at -O0 several times as many. -Og and -O1 stay as they are.
 * SPLIT_NN_COLD is defined where small code is better: checks, and what runs once. Define
 * SPLIT_NN_KEEP_OPTIMIZATION to keep the build's level whatever it is; the kernels for DSP then need at least -Og, as
 * their inline assembly does not find enough registers at -O0. Clang has no such pragma. */
#ifndef SPLIT_NN_OPTIMIZE_H_
#define SPLIT_NN_OPTIMIZE_H_

#if defined(__OPTIMIZE_SIZE__)
#define SPLIT_NN_OPTIMIZED_FOR_SIZE 1 /* asked before the pragma, which makes the compiler forget it */
#endif
#if defined(__GNUC__) && !defined(__clang__) && !defined(SPLIT_NN_KEEP_OPTIMIZATION)
#if defined(SPLIT_NN_COLD)
#pragma GCC optimize("Os")
#elif !defined(__OPTIMIZE__) || defined(__OPTIMIZE_SIZE__)
#pragma GCC optimize("O2")
#endif
#endif

#endif /* SPLIT_NN_OPTIMIZE_H_ */
