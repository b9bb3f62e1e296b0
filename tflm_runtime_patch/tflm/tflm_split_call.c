#include "tflm_split_call.h"

#include <string.h>

#include "../split_nn/split_nn.h"

/* Of a streamed program. `begun` is 0 when the next call starts a new inference, `wiped` when the outputs hold nothing yet. */
typedef struct call_state {
    split_stream stream;
    uint16_t begun;
    uint16_t wiped;
} call_state;

/* Of a program that keeps a state. Such a program is not streamed: `call.begun` is KEEPS_STATE. The state follows. */
typedef struct kept_state {
    call_state call;
    const void* program;
} kept_state;

/* Of a program for two memories, which is not streamed either: `call.begun` is HAS_SLOW_MEMORY. */
typedef struct kept_slow {
    call_state call;
    uint8_t* memory;
} kept_slow;

enum { KEEPS_STATE = 2, HAS_SLOW_MEMORY = 3, STATE_ALIGNMENT = 16 };

/* Where the state begins. */
static const size_t state_offset = (sizeof(kept_state) + STATE_ALIGNMENT - 1u) / STATE_ALIGNMENT * STATE_ALIGNMENT;

static uint8_t* kept_bytes(void* state) {
    return (uint8_t*)state + state_offset;
}

static tflm_split_tensor input_at(const tflm_split_call* call, int index) {
    return call->tensor(call->node, 0, index);
}

static tflm_split_tensor output_at(const tflm_split_call* call, int index) {
    return call->tensor(call->node, 1, index);
}

/* The region's own tensors, inputs first: the io records' order. */
static tflm_split_tensor io_at(const tflm_split_call* call, int index) {
    const int inputs = call->input_count - 1;
    return index < inputs ? input_at(call, index) : output_at(call, index - inputs);
}

/* How many of the outputs are not the region's own: the workspace, and before it the position if the output is streamed. */
static int extra_outputs(const void* program) {
    return split_nn_hands_over(program) ? 2 : 1;
}

/* Says which row of the output is there after call `done`, and which of the input comes with the next one. */
static void tell_position(const void* program, uint32_t done, int32_t* position) {
    const uint32_t following = done + 1u < split_nn_calls(program) ? done + 1u : 0u;
    const split_rows made = split_nn_rows_made(program, done);
    const split_rows next = split_nn_rows_of_call(program, following);
    position[0] = made.rows > 0 ? (int32_t)made.first_row : -1;
    position[1] = next.rows > 0 ? (int32_t)next.first_row : following > 0 ? -1 : 0;
}

const char* tflm_split_call_prepare(const tflm_split_call* call) {
    if (call->input_count < 1 || call->output_count < 1) {
        return "the operator needs a program as last input and a workspace as last output";
    }
    const tflm_split_tensor program = input_at(call, call->input_count - 1);
    if (program.data == NULL) {
        return "the last input must be a constant tensor: the program";
    }
    const split_status status = split_nn_prepare(program.data, program.bytes);
    if (status != SPLIT_OK) {
        return split_nn_status_text(status);
    }
    const int extra = extra_outputs(program.data);
    if (split_nn_input_count(program.data) != (uint32_t)(call->input_count - 1) || call->output_count < extra ||
        split_nn_output_count(program.data) != (uint32_t)(call->output_count - extra)) {
        return "the operator has other inputs or outputs than its program";
    }
    if (extra > 1 && output_at(call, call->output_count - 2).bytes != 2 * sizeof(int32_t)) {
        return "the last output but one must be the position, two int32";
    }
    for (int i = 0; i < call->input_count - 1 + call->output_count - extra; ++i) {
        if (io_at(call, i).bytes != split_nn_io(program.data, (uint32_t)i)->bytes) {
            return "an input or output tensor has another size than in the program";
        }
    }
    if (output_at(call, call->output_count - 1).bytes != split_nn_workspace_bytes(program.data)) {
        return "the last output must be the workspace, as large as the program says";
    }
    return NULL;
}

size_t tflm_split_call_state_bytes(const tflm_split_call* call) {
    const tflm_split_tensor program = input_at(call, call->input_count - 1);
    const size_t kept = split_nn_state_bytes(program.data);
    if (split_nn_slow_bytes(program.data) > 0) {
        return sizeof(kept_slow);
    }
    return kept > 0 ? state_offset + kept : split_nn_calls(program.data) > 1u ? sizeof(call_state) : 0u;
}

/* Notes where the slow memory is, and tells TFLM which tensors of the region's border lie in it. */
static const char* take_slow_memory(const tflm_split_call* call, const void* program, kept_slow* kept) {
    kept->call.begun = HAS_SLOW_MEMORY;
    kept->memory = (uint8_t*)call->slow;
    if (call->slow == NULL) {
        return "the model is made for two memories: call tflm_split::SetSlowMemory() before AllocateTensors()";
    }
    if (call->slow_bytes < split_nn_slow_bytes(program) || (uintptr_t)call->slow % SPLIT_NN_ALIGNMENT != 0) {
        return "the slow memory given to tflm_split::SetSlowMemory() is smaller than the model needs, or does not "
               "start "
               "at a multiple of 4 bytes";
    }
    const int inputs = call->input_count - 1;
    for (int i = 0; i < inputs + (int)split_nn_output_count(program); ++i) {
        const uint32_t address = split_nn_io(program, (uint32_t)i)->address;
        if (address >= split_nn_workspace_bytes(program)) {
            uint8_t* data = split_nn_place(program, NULL, kept->memory, address);
            call->put(call->node, i >= inputs, i < inputs ? i : i - inputs, data);
        }
    }
    return NULL;
}

const char* tflm_split_call_start(const tflm_split_call* call, void* state) {
    const void* program = input_at(call, call->input_count - 1).data;
    memset(state, 0, sizeof(call_state));
    if (split_nn_state_bytes(program) > 0) {
        kept_state* kept = (kept_state*)state;
        kept->call.begun = KEEPS_STATE;
        kept->program = program;
        split_nn_start(program, kept_bytes(state));
    }
    return split_nn_slow_bytes(program) > 0 ? take_slow_memory(call, program, (kept_slow*)state) : NULL;
}

void tflm_split_call_reset(void* state) {
    call_state* call = (call_state*)state;
    if (call->begun == KEEPS_STATE) {
        split_nn_start(((const kept_state*)state)->program, kept_bytes(state));
    } else if (call->begun != HAS_SLOW_MEMORY) {
        call->begun = 0;
    }
}

/* Does an output lie on no input? Then it may be wiped when the inputs of the first call are there already. */
static int lies_apart(const void* program, const split_io* output) {
    for (uint32_t i = 0; i < split_nn_input_count(program); ++i) {
        const split_io* input = split_nn_io(program, i);
        if (input->address < output->address + output->bytes && output->address < input->address + input->bytes) {
            return 0;
        }
    }
    return 1;
}

/* One call of a streamed program. */
static split_status next_call(const tflm_split_call* call, const void* program, uint8_t* workspace) {
    call_state* state = (call_state*)call->state;
    if (state == NULL) {
        return SPLIT_ERROR_STREAM;
    }
    const uint32_t inputs = split_nn_input_count(program);
    for (uint32_t i = 0; state->wiped == 0 && i < split_nn_output_count(program); ++i) {
        const split_io* io = split_nn_io(program, inputs + i);
        if (lies_apart(program, io)) {
            memset(workspace + io->address, 0, io->bytes);
        }
    }
    state->wiped = 1;
    if (state->begun == 0) {
        split_nn_begin(program, &state->stream);
    }
    const split_status status = split_nn_continue(program, workspace, &state->stream);
    state->begun = status == SPLIT_OK && state->stream.call < split_nn_calls(program);
    return status;
}

const char* tflm_split_call_invoke(const tflm_split_call* call) {
    const void* program = input_at(call, call->input_count - 1).data;
    const uint8_t* workspace = (const uint8_t*)output_at(call, call->output_count - 1).data;
    if (program == NULL || workspace == NULL) {
        return "the program or the workspace has no memory";
    }
    const int extra = extra_outputs(program);
    int32_t* position = extra > 1 ? (int32_t*)(uintptr_t)output_at(call, call->output_count - 2).data : NULL;
    if (extra > 1 && position == NULL) {
        return "the position has no memory";
    }
    uint8_t* writable = (uint8_t*)(uintptr_t)workspace;
    const int two_memories = split_nn_slow_bytes(program) > 0 && call->state != NULL;
    uint8_t* slow = two_memories ? ((const kept_slow*)call->state)->memory : NULL;
    for (int i = 0; i < call->input_count - 1 + call->output_count - extra; ++i) {
        if (io_at(call, i).data !=
            split_nn_place(program, writable, slow, split_nn_io(program, (uint32_t)i)->address)) {
            return "an input or output does not lie in the workspace where the program expects it: the "
                   "model's "
                   "OfflineMemoryAllocation plan is missing or was not honoured";
        }
    }
    if (split_nn_calls(program) == 1u) {
        uint8_t* kept = call->state != NULL && !two_memories ? kept_bytes(call->state) : NULL;
        const split_status run = two_memories ? split_nn_run_with_slow_memory(program, writable, slow)
                                              : split_nn_run_with_state(program, writable, kept);
        return run == SPLIT_OK ? NULL : split_nn_status_text(run);
    }
    const split_status status = next_call(call, program, writable);
    if (status == SPLIT_OK && position != NULL) {
        tell_position(program, ((const call_state*)call->state)->stream.call - 1u, position);
    }
    return status == SPLIT_OK ? NULL : split_nn_status_text(status);
}
