/* DEPTHWISE_INT16: one output row. Stack: below 250 bytes. */
#include "../target.h"

#if defined(SPLIT_NN_DSP)

#include "dsp.h"
#include "../depthwise_int16_row.h"

/* Multiplies halves of words, which needs no unpacking of the values. */
SPLIT_ALWAYS_INLINE split_four tap(const int16_t* values, const int8_t* weights, split_four sums) {
    const uint32_t word = split_load4(weights), even = split_even(word), odd = split_odd(word);
    uint32_t first, second;
    memcpy(&first, values, sizeof first);
    memcpy(&second, values + 2, sizeof second);
    __asm__("smlabb %0, %1, %2, %0" : "+r"(sums.sum0) : "r"(first), "r"(even));
    __asm__("smlatb %0, %1, %2, %0" : "+r"(sums.sum1) : "r"(first), "r"(odd));
    __asm__("smlabt %0, %1, %2, %0" : "+r"(sums.sum2) : "r"(second), "r"(even));
    __asm__("smlatt %0, %1, %2, %0" : "+r"(sums.sum3) : "r"(second), "r"(odd));
    return sums;
}

void split_nn_depthwise_int16_row(const split_conv_int16* conv, const int16_t* const* rows, const split_pixels* in,
                                  int16_t* output, const split_pixels* out) {
    split_depthwise_int16_row_of(conv, rows, in, output, out, tap);
}

#endif /* SPLIT_NN_DSP */
