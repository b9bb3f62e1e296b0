/* Runs the linked program on every inference of the host's `inputs.bin` and writes `outputs.bin`; prints counters.
 *
 * The RAM of this firmware is the program's workspace and the stack, nothing else: inputs are read straight into
 * their place in the workspace, outputs are written from theirs. */
#include <stddef.h>
#include <stdint.h>

#include "counter.h"
#include "semihosting.h"
#include "split_nn.h"
#include "stack.h"

extern const uint8_t board_program[], board_program_end[];

/* Global, so that the symbol table names it. */
__attribute__((aligned(16))) uint8_t board_workspace[BOARD_WORKSPACE_BYTES];

static const char inputs_name[] = "inputs.bin";
static const char outputs_name[] = "outputs.bin";

/* 1 when the next inference's inputs are in the workspace, 0 at the end of the file. */
static int read_inputs(int32_t file) {
    for (uint32_t i = 0; i < split_nn_input_count(board_program); ++i) {
        const split_io* io = split_nn_io(board_program, i);
        if (semihosting_read(file, board_workspace + io->address, io->bytes) != 0) {
            return 0;
        }
    }
    return 1;
}

static int write_outputs(int32_t file) {
    const uint32_t inputs = split_nn_input_count(board_program);
    for (uint32_t i = 0; i < split_nn_output_count(board_program); ++i) {
        const split_io* io = split_nn_io(board_program, inputs + i);
        if (semihosting_write(file, board_workspace + io->address, io->bytes) != 0) {
            return 0;
        }
    }
    return 1;
}

int main(void) {
    counter instructions;
    counter_init(&instructions);

    stack_paint();
    counter_begin(&instructions);
    split_status status = split_nn_prepare(board_program, (size_t)(board_program_end - board_program));
    counter_end(&instructions);
    const uint32_t prepare_stack = stack_peak_bytes();
    if (status != SPLIT_OK) {
        return semihosting_fail(split_nn_status_text(status));
    }
    if (split_nn_workspace_bytes(board_program) > BOARD_WORKSPACE_BYTES) {
        return semihosting_fail("the workspace is smaller than the program needs");
    }
    semihosting_print_value("prepare_instructions", counter_instructions(&instructions));
    semihosting_print_value("prepare_stack_bytes", prepare_stack);

    const int32_t inputs = semihosting_open(inputs_name, sizeof(inputs_name) - 1u, SEMIHOSTING_READ);
    const int32_t outputs = semihosting_open(outputs_name, sizeof(outputs_name) - 1u, SEMIHOSTING_WRITE);
    if (inputs == -1 || outputs == -1) {
        return semihosting_fail("inputs.bin or outputs.bin cannot be opened");
    }
    while (read_inputs(inputs)) {
        stack_paint();
        counter_begin(&instructions);
        status = split_nn_run(board_program, board_workspace);
        counter_end(&instructions);
        const uint32_t run_stack = stack_peak_bytes();
        if (status != SPLIT_OK) {
            return semihosting_fail(split_nn_status_text(status));
        }
        semihosting_print_value("run_instructions", counter_instructions(&instructions));
        semihosting_print_value("run_stack_bytes", run_stack);
        if (!write_outputs(outputs)) {
            return semihosting_fail("outputs.bin cannot be written");
        }
    }
    semihosting_close(inputs);
    semihosting_close(outputs);
    semihosting_print("done\n");
    return 1;
}
