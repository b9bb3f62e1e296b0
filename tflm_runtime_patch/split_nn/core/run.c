/* Runs a program: before each step its moves, then the run function of the step's op. Nothing is checked:
 * split_nn_prepare() has done that.
 *
 * Stack on a 32-bit machine: SPLIT_MAX_WINDOW_ROWS pointers and one call's parameters, below 350 bytes, plus the
 * kernel's own. */
#include <string.h>

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

/* Are both given, and where the machine can read them? */
static split_status places(const void* program, const uint8_t* workspace) {
    if (program == NULL || workspace == NULL) {
        return SPLIT_ERROR_NULL;
    }
    const int aligned = (uintptr_t)program % SPLIT_NN_ALIGNMENT == 0 && (uintptr_t)workspace % SPLIT_NN_ALIGNMENT == 0;
    return aligned ? SPLIT_OK : SPLIT_ERROR_ALIGNMENT;
}

/* What to say to a caller who gives no second memory; SPLIT_OK if the program has none. */
static split_status without_second(const void* program) {
    const uint8_t* blob = (const uint8_t*)program;
    if (!SPLIT_NN_HAS(SPLIT_STATE_BIT) || split_header_of(blob)->second_bytes == 0) { /* prepare refuses it otherwise */
        return SPLIT_OK;
    }
    return split_is_slow(blob) ? SPLIT_ERROR_SLOW_MEMORY : SPLIT_ERROR_STATE;
}

/* Makes the next call of `stream`, or the only one without a stream: its steps, and the moves before each. With a stream, the
 * moves go on from where it stands, and the moves before the next call are made, too: the caller may then write rows to where
 * they were. (All callers end with a call of this function, whose arguments fit into registers, so that they take no stack
 * while kernels run.) */
static split_status run_call(const void* program, uint8_t* workspace, uint8_t* second, split_stream* stream) {
    split_machine at = {(const uint8_t*)program, workspace, second, 0};
    const uint32_t call = stream != NULL ? stream->call : 0u;
    const split_header* header = split_header_of(at.program);
    const uint32_t* pauses = (const uint32_t*)split_at(at.program, header->pauses_offset);
    const uint32_t stop = call == header->pause_count ? header->step_count : split_pause_step(pauses[call]);
    uint32_t move = stream != NULL ? stream->move : split_first_move(at.program);
    for (at.step = call == 0 ? 0u : split_pause_step(pauses[call - 1u]); at.step < stop; ++at.step) {
        if (SPLIT_NN_HAS(SPLIT_MOVES_BIT)) {
            move = split_run_moves(&at, move);
        }
        run_step(&at, split_step_at(at.program, at.step));
    }
    if (stream != NULL) {
        stream->move = SPLIT_NN_HAS(SPLIT_MOVES_BIT) ? split_run_moves(&at, move) : move;
        ++stream->call;
    }
    return SPLIT_OK;
}

split_status split_nn_run(const void* program, uint8_t* workspace) {
    const split_status status = places(program, workspace);
    if (status != SPLIT_OK) {
        return status;
    }
    if (split_nn_calls(program) > 1u) {
        return SPLIT_ERROR_STREAM;
    }
    const split_status missing = without_second(program);
    return missing == SPLIT_OK ? run_call(program, workspace, NULL, NULL) : missing;
}

void split_nn_start(const void* program, uint8_t* state) {
    const uint8_t* blob = (const uint8_t*)program;
    const split_header* header = split_header_of(blob);
    const split_fill* fills = (const split_fill*)split_at(blob, header->fills_offset);
    for (uint32_t i = 0; i < header->fill_count; ++i) {
        memset(state, (int)fills[i].value, fills[i].bytes);
        state += fills[i].bytes;
    }
}

/* Runs a program on the workspace and its second memory, if that is the `kind` of second memory which it has. */
static split_status run_in_two(const void* program, uint8_t* workspace, uint8_t* second, split_status kind) {
    const split_status status = places(program, workspace);
    if (status != SPLIT_OK || second == NULL || without_second(program) != kind) {
        return status == SPLIT_OK ? split_nn_run(program, workspace) : status;
    }
    if ((uintptr_t)second % SPLIT_NN_ALIGNMENT != 0) {
        return SPLIT_ERROR_ALIGNMENT;
    }
    return run_call(program, workspace, second, NULL);
}

split_status split_nn_run_with_state(const void* program, uint8_t* workspace, uint8_t* state) {
    return run_in_two(program, workspace, state, SPLIT_ERROR_STATE);
}

split_status split_nn_run_with_slow_memory(const void* program, uint8_t* workspace, uint8_t* slow) {
    return run_in_two(program, workspace, slow, SPLIT_ERROR_SLOW_MEMORY);
}

uint8_t* split_nn_place(const void* program, uint8_t* workspace, uint8_t* slow, uint32_t address) {
    const split_machine at = {(const uint8_t*)program, workspace, slow, 0};
    return split_memory_at(&at, address);
}

uint32_t split_nn_calls(const void* program) {
    return split_header_of((const uint8_t*)program)->pause_count + 1u;
}

void split_nn_begin(const void* program, split_stream* stream) {
    stream->call = 0;
    stream->move = split_first_move((const uint8_t*)program);
}

split_status split_nn_continue(const void* program, uint8_t* workspace, split_stream* stream) {
    const split_status status = places(program, workspace);
    if (status != SPLIT_OK) {
        return status;
    }
    if (stream == NULL || stream->call >= split_nn_calls(program)) {
        return SPLIT_ERROR_STREAM;
    }
    const split_status missing = without_second(program);
    return missing == SPLIT_OK ? run_call(program, workspace, NULL, stream) : missing;
}

/* The op that fetches or emits, or NULL. */
static const split_op* stream_of(const uint8_t* blob, int emits) {
    for (uint32_t i = 0; i < split_header_of(blob)->op_count; ++i) {
        const split_op* op = split_op_at(blob, i);
        if (emits ? SPLIT_NN_IS(op, SPLIT_OP_EMIT) : SPLIT_NN_IS(op, SPLIT_OP_FETCH)) {
            return op;
        }
    }
    return NULL;
}

int split_nn_hands_over(const void* program) {
    return split_nn_calls(program) > 1u && stream_of((const uint8_t*)program, 1) != NULL;
}

/* How many of the first `count` pauses have a flag. */
static uint32_t flagged(const uint8_t* blob, uint32_t count, uint32_t flag) {
    const uint32_t* pauses = (const uint32_t*)split_at(blob, split_header_of(blob)->pauses_offset);
    uint32_t found = 0;
    for (uint32_t i = 0; i < count; ++i) {
        found += (pauses[i] & flag) != 0;
    }
    return found;
}

/* The rows that a call brings or hands over, as the `turn`th of those that do. `of_call` has room for them. */
static split_rows rows_of_turn(const uint8_t* blob, const split_view* of_call, const split_view* whole, uint32_t turn) {
    const split_storage* storage = split_storage_at(blob, of_call->storage);
    const uint32_t first_row = turn * of_call->row_count;
    const uint32_t left = first_row < whole->row_count ? whole->row_count - first_row : 0u;
    const split_rows found = {split_row_offset(blob, storage, of_call->first_row), first_row,
                              left < of_call->row_count ? left : of_call->row_count, storage->row_bytes};
    return found;
}

split_rows split_nn_rows_of_call(const void* program, uint32_t call) {
    const uint8_t* blob = (const uint8_t*)program;
    const split_op* op = stream_of(blob, 0);
    const split_rows none = {0, 0, 0, 0};
    const uint32_t calls = split_nn_calls(program);
    if (op == NULL || call >= calls) {
        return none;
    }
    const uint32_t turn = flagged(blob, call, SPLIT_PAUSE_TAKES);
    if (call > 0 && turn == flagged(blob, call - 1u, SPLIT_PAUSE_TAKES)) {
        return none;
    }
    return rows_of_turn(blob, split_view_at(blob, op->input), split_view_at(blob, op->output), turn);
}

split_rows split_nn_rows_made(const void* program, uint32_t call) {
    const uint8_t* blob = (const uint8_t*)program;
    const split_op* op = stream_of(blob, 1);
    const split_rows none = {0, 0, 0, 0};
    const uint32_t last = split_nn_calls(program) - 1u;
    if (op == NULL || call > last) {
        return none;
    }
    const uint32_t turn = flagged(blob, call, SPLIT_PAUSE_GIVES);
    if (call < last && turn == flagged(blob, call + 1u, SPLIT_PAUSE_GIVES)) {
        return none;
    }
    const split_rows made = rows_of_turn(blob, split_view_at(blob, op->output), split_view_at(blob, op->input), turn);
    return made.rows > 0 ? made : none;
}

split_status split_nn_run_rows(const void* program, uint8_t* workspace, split_next_rows* next_rows,
                               split_made_rows* made_rows, void* user) {
    split_status status = places(program, workspace);
    if (status != SPLIT_OK) {
        return status;
    }
    if ((next_rows == NULL && stream_of((const uint8_t*)program, 0) != NULL) ||
        (made_rows == NULL && stream_of((const uint8_t*)program, 1) != NULL)) {
        return SPLIT_ERROR_NULL;
    }
    split_stream stream;
    split_nn_begin(program, &stream);
    const uint32_t calls = split_nn_calls(program);
    while (status == SPLIT_OK && stream.call < calls) {
        const split_rows made = split_nn_rows_made(program, stream.call);
        const split_rows next = split_nn_rows_of_call(program, stream.call);
        int stopped = next.rows > 0 && next_rows(user, workspace + next.address, next.first_row, next.rows);
        status = stopped ? SPLIT_ERROR_STOPPED : split_nn_continue(program, workspace, &stream);
        if (status == SPLIT_OK && made.rows > 0) {
            stopped = made_rows(user, workspace + made.address, made.first_row, made.rows);
            status = stopped ? SPLIT_ERROR_STOPPED : SPLIT_OK;
        }
    }
    return status;
}
