/* Two output pixels together, whose windows are too large to be gathered. Only for files built with SPLIT_NN_MVE. */
#ifndef SPLIT_NN_HELIUM_PAIRS_H_
#define SPLIT_NN_HELIUM_PAIRS_H_

#include "helium.h"

/* Two windows inside the input, each row of which is one run of bytes, and the filters of a group, at least three. */
typedef struct split_mve_pair {
    const int8_t* const* rows;
    int32_t row_count;
    int32_t row_bytes;
    int32_t excess;  /* bytes by which whole vectors are longer than a row */
    int32_t filter;  /* bytes of a filter */
    int32_t offset;  /* of the first window in a row */
    int32_t advance; /* to the second one */
    const split_mve_scales* scales;
    const int32_t* bias;
    const int8_t* weights;
    int32_t first; /* output channel */
    int32_t filters;
} split_mve_pair;

/* Writes both pixels. The first one must not overlap what the second one's filters read. */
void split_mve_store_pair(const split_mve_pair* of, int8_t* pixel0, int8_t* pixel1);

#endif /* SPLIT_NN_HELIUM_PAIRS_H_ */
