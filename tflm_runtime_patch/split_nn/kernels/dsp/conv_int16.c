/* CONV_INT16 and, with a 1x1 window, FULLY_CONNECTED: one output row. SMLAD adds two products at once. Stack: below 250
 * bytes. */
#include "../target.h"

#if defined(SPLIT_NN_DSP)

#include "dsp.h"
#include "../conv_int16_row.h"

/* `even` holds values 0 and 2, `odd` holds 1 and 3. */
SPLIT_DSP_INLINE uint32_t add_four(const int8_t** weights, uint32_t even, uint32_t odd, uint32_t sum) {
    const uint32_t word = split_load4(*weights);
    *weights += 4;
    return split_add_products(odd, split_odd(word), split_add_products(even, split_even(word), sum));
}

static uint32_t load_two(const int16_t* values) {
    uint32_t word;
    memcpy(&word, values, sizeof word);
    return word;
}

static void dots(const int16_t* values, split_filters filters, int32_t count, uint64_t sums[4]) {
    const int8_t* weights0 = filters.weights;
    const int8_t* weights1 = weights0 + filters.filter;
    const int8_t* weights2 = weights1 + filters.filter;
    const int8_t* weights3 = weights2 + filters.filter;
    while (count > 0) {
        const int32_t part = count < SPLIT_INT32_PRODUCTS ? count : SPLIT_INT32_PRODUCTS;
        uint32_t sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0;
        for (const int16_t* const end = values + (part & ~3); values != end; values += 4) {
            const uint32_t first = load_two(values), second = load_two(values + 2);
            const uint32_t even = split_lower_halves(first, second), odd = split_upper_halves(first, second);
            sum0 = add_four(&weights0, even, odd, sum0);
            sum1 = add_four(&weights1, even, odd, sum1);
            sum2 = add_four(&weights2, even, odd, sum2);
            sum3 = add_four(&weights3, even, odd, sum3);
        }
        for (int32_t left = part & 3; left > 0; --left) {
            const int32_t value = *values++;
            sum0 += split_product(*weights0++, value);
            sum1 += split_product(*weights1++, value);
            sum2 += split_product(*weights2++, value);
            sum3 += split_product(*weights3++, value);
        }
        sums[0] += (uint64_t)(int64_t)(int32_t)sum0;
        sums[1] += (uint64_t)(int64_t)(int32_t)sum1;
        sums[2] += (uint64_t)(int64_t)(int32_t)sum2;
        sums[3] += (uint64_t)(int64_t)(int32_t)sum3;
        count -= part;
    }
}

void split_nn_conv_int16_row(const split_conv_int16* conv, const int16_t* const* rows, const split_pixels* in,
                             int16_t* output, const split_pixels* out) {
    split_conv_int16_row_of(conv, rows, in, output, out, dots);
}

#endif /* SPLIT_NN_DSP */
