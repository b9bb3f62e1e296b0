/* The rules of all kinds that this build has, made from the generated table. */
#include "kind.h"

#define RULE_OF_KIND(kind, check, run, reads, record, operands, accumulator, input_sizes, output_sizes)              \
    case SPLIT_OP_##kind:                                                                                            \
        if (SPLIT_NN_HAS(SPLIT_OP_##kind)) {                                                                         \
            static const split_kind_rule rule = {split_check_##check, split_reads_##reads, sizeof(record), operands, \
                                                 accumulator,         input_sizes,         output_sizes};            \
            return &rule;                                                                                            \
        }                                                                                                            \
        break;

#define CASE_OF_KIND(kind, check, run, reads, record, operands, accumulator, input_sizes, output_sizes) \
    case SPLIT_OP_##kind:

int split_kind_exists(uint32_t kind) {
    switch (kind) {
        SPLIT_NN_FOR_EACH_KIND(CASE_OF_KIND)
        return 1;
        default:
            return 0;
    }
}

const split_kind_rule* split_rule_of(uint32_t kind) {
    switch (kind) {
        SPLIT_NN_FOR_EACH_KIND(RULE_OF_KIND)
        default:
            break;
    }
    return NULL;
}
