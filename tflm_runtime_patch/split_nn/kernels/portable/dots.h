/* Four dot products at once, for the portable convolutions. Neither is inlined, so that its loop has all registers.
 *
 * Sums are computed as unsigned: hostile programs wrap them. The compiler would therefore be free to add up several
 * products first. It runs out of registers then, which SPLIT_IN_REGISTER prevents. */
#ifndef SPLIT_NN_PORTABLE_DOTS_H_
#define SPLIT_NN_PORTABLE_DOTS_H_

#include "../shared_int8.h"
#include "../target.h"

/* sum += weight * value */
#define SPLIT_ADD_PRODUCT(sum, weight, value)      \
    do {                                           \
        (sum) += split_product((weight), (value)); \
        SPLIT_IN_REGISTER(sum);                    \
    } while (0)

#define SPLIT_DOTS 4

/* Two runs of values and two filters. sums[0] and sums[1] are those of the first filter, for both runs; sums[2] and
 * sums[3] those of the second. The runs are `apart` bytes apart, the filters `filter` bytes. */
void split_add_dots_2x2(uint32_t sums[SPLIT_DOTS], const int8_t* values, int32_t apart, const int8_t* weights,
                        int32_t filter, int32_t count);

/* One run of values and four filters. */
void split_add_dots_1x4(uint32_t sums[SPLIT_DOTS], const int8_t* values, const int8_t* weights, int32_t filter,
                        int32_t count);

#endif /* SPLIT_NN_PORTABLE_DOTS_H_ */
