/* What prepare has to know of an op's kind. */
#ifndef SPLIT_NN_KIND_H_
#define SPLIT_NN_KIND_H_

#include "../ops/ops.h"

typedef struct split_kind_rule {
    split_kind_check* check;
    split_kind_reads* reads;
    uint8_t params_bytes;
    uint8_t operands;         /* input views */
    uint8_t accumulator;      /* 0: none; 1: one row, which the rows of the input are fed to; 2: a row per output row */
    uint8_t input_sizes : 4;  /* bytes an element may have, a bit each: 1, 2, 4 */
    uint8_t output_sizes : 4; /* likewise */
} split_kind_rule;

/* NULL where this build has no such kind. */
const split_kind_rule* split_rule_of(uint32_t kind);

#endif /* SPLIT_NN_KIND_H_ */
