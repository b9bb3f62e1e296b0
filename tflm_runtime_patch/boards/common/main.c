/* Runs the linked program on every inference of the host's `inputs.bin` and writes `outputs.bin`; prints counters.
 *
 * The RAM of this firmware is the program's workspace, its second memory and the stack, nothing else: inputs are read straight into
 * their place in the workspace, outputs are written from theirs. A streamed program gets its rows call by call, as from a
 * camera; in the file they come behind the other inputs. So it hands over its rows; these come before the other outputs. */
#include <stddef.h>
#include <stdint.h>

#include "counter.h"
#include "semihosting.h"
#include "split_nn.h"
#include "stack.h"

extern const uint8_t board_program[], board_program_end[];

/* Global, so that the symbol table names it. */
__attribute__((aligned(16))) uint8_t board_workspace[BOARD_WORKSPACE_BYTES];
#ifndef BOARD_STATE_BYTES
#define BOARD_STATE_BYTES 0
#endif
#if BOARD_STATE_BYTES > 0 /* what the program keeps from one inference to the next */
__attribute__((aligned(16))) uint8_t board_state[BOARD_STATE_BYTES];
#else
#define board_state NULL
#endif

#ifndef BOARD_SLOW_BYTES
#define BOARD_SLOW_BYTES 0
#endif
#if BOARD_SLOW_BYTES > 0 /* the larger, slower memory */
__attribute__((aligned(16), section(".slow"))) uint8_t board_slow[BOARD_SLOW_BYTES];
#else
#define board_slow NULL
#endif

/* Where an address of the program is. */
static uint8_t* place(uint32_t address) {
    return split_nn_place(board_program, board_workspace, board_slow, address);
}

static const char inputs_name[] = "inputs.bin";
static const char outputs_name[] = "outputs.bin";

/* 1 when the rows of a call are in the workspace; always for a program that is not streamed. */
static int read_rows(int32_t file, uint32_t call) {
    const split_rows next = split_nn_rows_of_call(board_program, call);
    const uint32_t bytes = next.rows * next.row_bytes;
    return bytes == 0 || semihosting_read(file, place(next.address), bytes) == 0;
}

/* 1 when the next inference's inputs are in the workspace, those of the first call; 0 at the end of the file. */
static int read_inputs(int32_t file) {
    const split_rows streamed = split_nn_rows_of_call(board_program, 0);
    for (uint32_t i = 0; i < split_nn_input_count(board_program); ++i) {
        const split_io* io = split_nn_io(board_program, i);
        if (streamed.rows > 0 && io->address == streamed.address) {
            continue;
        }
        if (semihosting_read(file, place(io->address), io->bytes) != 0) {
            return 0;
        }
    }
    return read_rows(file, 0);
}

/* 1 when the rows that a call has made are written; always for an output that is not streamed. */
static int write_rows(int32_t file, uint32_t call) {
    const split_rows made = split_nn_rows_made(board_program, call);
    const uint32_t bytes = made.rows * made.row_bytes;
    return bytes == 0 || semihosting_write(file, place(made.address), bytes) == 0;
}

/* Where a streamed output lies; UINT32_MAX without one. */
static uint32_t address_of_rows_made(void) {
    for (uint32_t call = 0; call < split_nn_calls(board_program); ++call) {
        const split_rows made = split_nn_rows_made(board_program, call);
        if (made.rows > 0) {
            return made.address;
        }
    }
    return UINT32_MAX;
}

/* Makes the next call, or the only one. */
static split_status make_call(split_stream* stream) {
    if (split_nn_calls(board_program) > 1u) {
        return split_nn_continue(board_program, board_workspace, stream);
    }
    ++stream->call;
    if (BOARD_SLOW_BYTES > 0) {
        return split_nn_run_with_slow_memory(board_program, board_workspace, board_slow);
    }
    return split_nn_run_with_state(board_program, board_workspace, board_state);
}

/* Makes all calls of one inference. Counts their instructions: of all of them, and of the longest one. */
static split_status run(int32_t file, int32_t outputs, counter* instructions, uint64_t* all, uint64_t* longest) {
    split_stream stream;
    split_status status = SPLIT_OK;
    split_nn_begin(board_program, &stream);
    *all = 0;
    *longest = 0;
    while (status == SPLIT_OK && stream.call < split_nn_calls(board_program)) {
        if (stream.call > 0 && !read_rows(file, stream.call)) {
            return SPLIT_ERROR_STOPPED;
        }
        counter_begin(instructions);
        status = make_call(&stream);
        counter_end(instructions);
        if (status == SPLIT_OK && !write_rows(outputs, stream.call - 1u)) {
            return SPLIT_ERROR_STOPPED;
        }
        const uint64_t taken = counter_instructions(instructions);
        *all += taken;
        *longest = taken > *longest ? taken : *longest;
    }
    return status;
}

static int write_outputs(int32_t file) {
    const uint32_t inputs = split_nn_input_count(board_program);
    const uint32_t streamed = address_of_rows_made();
    for (uint32_t i = 0; i < split_nn_output_count(board_program); ++i) {
        const split_io* io = split_nn_io(board_program, inputs + i);
        if (io->address == streamed) {
            continue;
        }
        if (semihosting_write(file, place(io->address), io->bytes) != 0) {
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
    if (split_nn_state_bytes(board_program) > BOARD_STATE_BYTES) {
        return semihosting_fail("the state is smaller than the program needs");
    }
    if (split_nn_slow_bytes(board_program) > BOARD_SLOW_BYTES) {
        return semihosting_fail("the slow memory is smaller than the program needs");
    }
    if (BOARD_STATE_BYTES > 0) {
        split_nn_start(board_program, board_state);
    }
    semihosting_print_value("prepare_instructions", counter_instructions(&instructions));
    semihosting_print_value("prepare_stack_bytes", prepare_stack);

    const int32_t inputs = semihosting_open(inputs_name, sizeof(inputs_name) - 1u, SEMIHOSTING_READ);
    const int32_t outputs = semihosting_open(outputs_name, sizeof(outputs_name) - 1u, SEMIHOSTING_WRITE);
    if (inputs == -1 || outputs == -1) {
        return semihosting_fail("inputs.bin or outputs.bin cannot be opened");
    }
    while (read_inputs(inputs)) {
        uint64_t all;
        uint64_t longest;
        stack_paint();
        status = run(inputs, outputs, &instructions, &all, &longest);
        const uint32_t run_stack = stack_peak_bytes();
        if (status != SPLIT_OK) {
            return semihosting_fail(split_nn_status_text(status));
        }
        semihosting_print_value("run_instructions", all);
        semihosting_print_value("call_instructions", longest);
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
