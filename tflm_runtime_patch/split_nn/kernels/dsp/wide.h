/* Windows whose elements are widened to int16 once and then used by many filters. Only for files built with SPLIT_NN_DSP.
 *
 * Four elements of a window are a quad: a word of elements 0 and 2, and a word of elements 1 and 3. The windows of up
 * to five pixels lie side by side, one in each lane, quad by quad:
 *
 *        three lanes    | e0, e2 of pixel 0 | of pixel 1 | of pixel 2 | e1, e3 of pixel 0 | of pixel 1 | of pixel 2 | ...
 *
 * If the number of elements is no multiple of 4, the first quad begins with zeros. They are multiplied with the bytes before
 * a filter's weights: those of the filter before it, or what lies before the weights in the program. */
#ifndef SPLIT_NN_DSP_WIDE_H_
#define SPLIT_NN_DSP_WIDE_H_

#include "dsp.h"

/* Some filters, at least one, and where their products with widened windows go. wide.c knows the order. `multipliers`,
 * `shifts`, `output` and `bias` point behind the entry of the last filter. */
typedef struct split_wide_filters {
    int32_t skip; /* bytes from the last weight that is used to the first word of the next filter */
    const int32_t* multipliers;
    const int8_t* shifts;
    int8_t* output;          /* of the first lane */
    int32_t stride;          /* from one lane's output to the next */
    int32_t nudge;           /* of split_dsp_target */
    uint32_t* sums_out;      /* where the sums are kept, filter by filter; NULL: they become output */
    int32_t channel;         /* minus the number of filters */
    int32_t entry;           /* quads that are missing from four in the first turn of the loop: 0..3 */
    const int32_t* bias;     /* what sums start with */
    const uint32_t* sums_in; /* if not NULL, they start with these instead, filter by filter */
    const uint32_t* wide;
    const uint32_t* wide_end;
    const int8_t* weights;
} split_wide_filters;

/* Computes them for 2, 3 or 5 lanes, and changes the structure. There is at least one quad. Every multiplier and
 * shift is one of split_dsp_is_fast(), or sums are kept. */
void split_wide_2(split_wide_filters* filters);
void split_wide_3(split_wide_filters* filters);
void split_wide_5(split_wide_filters* filters);

/* One lane and four filters, two of which may be the same one. wide.c knows the order. */
typedef struct split_wide_four {
    const uint32_t* wide;
    const int8_t* weights[4];
    uint32_t sums[4];
    const uint32_t* wide_end;
    int32_t entry; /* as above */
} split_wide_four;

/* Adds the products to the sums. */
void split_wide_add_four(split_wide_four* filters);

/* Writes a quad: two words, `lanes` apart. */
SPLIT_ALWAYS_INLINE void split_widen_quad(uint32_t word, int32_t lanes, uint32_t* to) {
    to[0] = split_even(word);
    to[lanes] = split_odd(word);
}

#endif /* SPLIT_NN_DSP_WIDE_H_ */
