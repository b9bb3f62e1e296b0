/* The three functions of each kind of op, declared for every kind of the generated table:
 *   split_check_*  prepare calls it once per op
 *   split_reads_*  prepare calls it once per step
 *   split_run_*    the executor calls it once per step */
#ifndef SPLIT_NN_OPS_H_
#define SPLIT_NN_OPS_H_

#include "../core/machine.h"
#include "../generated/split_nn_kinds.h"
#include "checks.h"

/* split_check_*: Do the op's views and parameters fit each other? Do its weights and tables lie in the program? */
typedef split_status split_kind_check(const uint8_t* program, const split_op* op, const split_op_views* views);

/* split_reads_*: Do all rows that step `row` of the op reads have addresses? */
typedef int split_kind_reads(const uint8_t* program, const split_op* op, uint32_t row);

/* split_run_*: Computes step `row` of the op. */
typedef void split_kind_run(const split_machine* at, const split_op* op, uint32_t row);

#define SPLIT_DECLARE_KIND(kind, check, run, reads, record, operands, accumulator, input_sizes, output_sizes) \
    split_kind_check split_check_##check;                                                                     \
    split_kind_reads split_reads_##reads;                                                                     \
    split_kind_run split_run_##run;
SPLIT_NN_FOR_EACH_KIND(SPLIT_DECLARE_KIND)

/* Carries out the moves that are due before the current step, from `next` on. Returns the move that
 * comes after them. */
uint32_t split_run_moves(const split_machine* at, uint32_t next);

#endif /* SPLIT_NN_OPS_H_ */
