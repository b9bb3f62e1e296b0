/* Every kind of op: its check, which prepare calls once per op; which rows a step reads, which prepare asks once per step;
 * and what the executor calls per step. Each is declared for each kind of the table. */
#ifndef SPLIT_NN_OPS_H_
#define SPLIT_NN_OPS_H_

#include "../core/machine.h"
#include "../generated/split_nn_kinds.h"
#include "checks.h"

/* split_check_*: do the op's views and parameters fit each other, and do its weights and tables lie in the program? */
typedef split_status split_kind_check(const uint8_t* program, const split_op* op, const split_op_views* views);

/* split_reads_*: have the rows that step `row` of the op reads addresses? */
typedef int split_kind_reads(const uint8_t* program, const split_op* op, uint32_t row);

/* split_run_*: step `row` of the op. */
typedef void split_kind_run(const split_machine* at, const split_op* op, uint32_t row);

#define SPLIT_DECLARE_KIND(kind, check, run, reads, record, operands, accumulator, input_sizes, output_sizes) \
    split_kind_check split_check_##check;                                                                     \
    split_kind_reads split_reads_##reads;                                                                     \
    split_kind_run split_run_##run;
SPLIT_NN_FOR_EACH_KIND(SPLIT_DECLARE_KIND)

/* Carries out the moves that are due before the step, from `next` on; returns the one that comes next. */
uint32_t split_run_moves(const split_machine* at, uint32_t next);

#endif /* SPLIT_NN_OPS_H_ */
