/* These sources are meant to be built with -O2, whatever level the rest of the firmware has. Where a build system does not
 * say so (Arduino builds with -Os, a debug build with -O0), this does: include it before anything else.
 *
 * At -Os the kernels take 3 to 40 % more instructions. Define SPLIT_NN_SIZE_FIRST to keep -Os. At -O0 some of the
 * inline assembly does not find enough registers. -Og and -O1 stay as they are. Clang has no such pragma; it builds all
 * sources at every level. */
#ifndef SPLIT_NN_OPTIMIZE_H_
#define SPLIT_NN_OPTIMIZE_H_

#if defined(__GNUC__) && !defined(__clang__)
#if !defined(__OPTIMIZE__) || (defined(__OPTIMIZE_SIZE__) && !defined(SPLIT_NN_SIZE_FIRST))
#pragma GCC optimize("O2")
#endif
#endif

#endif /* SPLIT_NN_OPTIMIZE_H_ */
