/* CONV_INT16 and, with a 1x1 window, FULLY_CONNECTED: one output row. SMLAD adds two products at once. Stack: below 250
 * bytes. */
#include "../target.h"

#if defined(SPLIT_NN_DSP)

#include "dsp.h"
#include "../conv_int16_row.h"

typedef struct four {
    uint32_t sum0, sum1, sum2, sum3;
} four;

static uint32_t load_two(const int16_t* values) {
    uint32_t word;
    memcpy(&word, values, sizeof word);
    return word;
}

/* sum plus the products of four weights; `even` holds values 0 and 2, `odd` holds 1 and 3. */
#define ADD_FOUR(weights, sum)                                     \
    do {                                                           \
        const uint32_t word = split_load4(weights);                \
        (weights) += 4;                                            \
        (sum) = split_add_products(even, split_even(word), (sum)); \
        (sum) = split_add_products(odd, split_odd(word), (sum));   \
    } while (0)

/* The dot products of `count` values, at most SPLIT_INT32_PRODUCTS, with four filters. Not inlined, so that its loop has
 * all registers. */
static __attribute__((noinline)) void add_dots(const int16_t* values, const int8_t* weights0, int32_t filter,
                                               int32_t count, four* sums) {
    const int8_t* weights1 = weights0 + filter;
    const int8_t* weights2 = weights1 + filter;
    const int8_t* weights3 = weights2 + filter;
    uint32_t sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0;
    for (const int16_t* const end = values + (count & ~3); values != end; values += 4) {
        const uint32_t first = load_two(values), second = load_two(values + 2);
        const uint32_t even = split_lower_halves(first, second), odd = split_upper_halves(first, second);
        ADD_FOUR(weights0, sum0);
        ADD_FOUR(weights1, sum1);
        ADD_FOUR(weights2, sum2);
        ADD_FOUR(weights3, sum3);
    }
    for (int32_t k = 0; k < (count & 3); ++k) {
        const int32_t value = values[k];
        sum0 += split_product(weights0[k], value);
        sum1 += split_product(weights1[k], value);
        sum2 += split_product(weights2[k], value);
        sum3 += split_product(weights3[k], value);
    }
    sums->sum0 = sum0;
    sums->sum1 = sum1;
    sums->sum2 = sum2;
    sums->sum3 = sum3;
}

static void dots(const int16_t* values, split_filters filters, int32_t count, uint64_t sums[4]) {
    while (count > 0) {
        const int32_t part = count < SPLIT_INT32_PRODUCTS ? count : SPLIT_INT32_PRODUCTS;
        four some;
        add_dots(values, filters.weights, filters.filter, part, &some);
        sums[0] += (uint64_t)(int64_t)(int32_t)some.sum0;
        sums[1] += (uint64_t)(int64_t)(int32_t)some.sum1;
        sums[2] += (uint64_t)(int64_t)(int32_t)some.sum2;
        sums[3] += (uint64_t)(int64_t)(int32_t)some.sum3;
        values += part;
        filters.weights += part;
        count -= part;
    }
}

void split_nn_conv_int16_row(const split_conv_int16* conv, const int16_t* const* rows, const split_pixels* in,
                             int16_t* output, const split_pixels* out) {
    split_conv_int16_row_of(conv, rows, in, output, out, dots);
}

#endif /* SPLIT_NN_DSP */
