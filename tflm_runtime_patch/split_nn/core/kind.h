/* What split_nn_prepare() must know of a kind of op. */
#ifndef SPLIT_NN_KIND_H_
#define SPLIT_NN_KIND_H_

#include "../ops/ops.h"

typedef struct split_kind_rule {
    split_kind_check* check;
    split_kind_reads* reads;
    uint8_t params_bytes;
    uint8_t operands;         /* input views */
    uint8_t accumulator;      /* 0: none; 1: one row, to which all input rows are added; 2: a row per output row */
    uint8_t input_sizes : 4;  /* the allowed bytes of an element (1, 2, 4), as bits */
    uint8_t output_sizes : 4; /* likewise */
} split_kind_rule;

/* The rule of a kind; NULL if this build has no such kind. */
const split_kind_rule* split_rule_of(uint32_t kind);

/* Is this the number of a kind, whether or not this build has it? */
int split_kind_exists(uint32_t kind);

#endif /* SPLIT_NN_KIND_H_ */
