/* Runs a program: before each step its moves, then the run function of the step's op. Nothing is checked:
 * split_nn_prepare() has done that.
 *
 * Stack on a 32-bit machine: SPLIT_MAX_WINDOW_ROWS pointers and one call's parameters, below 350 bytes, plus the
 * kernel's own. */
#include "../split_nn.h"
#include "../ops/ops.h"

#define RUN_KIND(kind, check, run, reads, record, operands, accumulator, input_sizes, output_sizes) \
    case SPLIT_OP_##kind:                                                                           \
        if (SPLIT_NN_HAS(SPLIT_OP_##kind)) {                                                        \
            split_run_##run(at, op, step.row);                                                      \
        }                                                                                           \
        break;

static void run_step(const split_machine* at, split_step step) {
    const split_op* op = split_op_at(at->program, step.op);
    switch (op->kind) {
        SPLIT_NN_FOR_EACH_KIND(RUN_KIND)
        default: /* prepare lets no other kind through */
            break;
    }
}

split_status split_nn_run(const void* program, uint8_t* workspace) {
    if (program == NULL || workspace == NULL) {
        return SPLIT_ERROR_NULL;
    }
    if ((uintptr_t)program % SPLIT_NN_ALIGNMENT != 0 || (uintptr_t)workspace % SPLIT_NN_ALIGNMENT != 0) {
        return SPLIT_ERROR_ALIGNMENT;
    }
    split_machine at = {(const uint8_t*)program, workspace, 0};
    const split_header* header = split_header_of(at.program);
    uint32_t move = SPLIT_NN_HAS(SPLIT_MOVES_BIT) ? split_first_move(at.program) : 0u;
    for (; at.step < header->step_count; ++at.step) {
        if (SPLIT_NN_HAS(SPLIT_MOVES_BIT)) {
            move = split_run_moves(&at, move);
        }
        run_step(&at, split_step_at(at.program, at.step));
    }
    return SPLIT_OK;
}
