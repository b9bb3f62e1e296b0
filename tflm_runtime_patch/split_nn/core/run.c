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

/* Are both given, and where the machine can read them? */
static split_status places(const void* program, const uint8_t* workspace) {
    if (program == NULL || workspace == NULL) {
        return SPLIT_ERROR_NULL;
    }
    const int aligned = (uintptr_t)program % SPLIT_NN_ALIGNMENT == 0 && (uintptr_t)workspace % SPLIT_NN_ALIGNMENT == 0;
    return aligned ? SPLIT_OK : SPLIT_ERROR_ALIGNMENT;
}

/* Makes call `call`: its steps, and the moves before each. With a `stream`, the moves go on from where it stands, and the
 * moves before the next call are made, too: the caller may then write rows to where they were. (Both callers end with a
 * call of this function, so that they take no stack while kernels run.) */
static split_status run_call(const void* program, uint8_t* workspace, uint32_t call, split_stream* stream) {
    split_machine at = {(const uint8_t*)program, workspace, 0};
    const split_header* header = split_header_of(at.program);
    const uint32_t* pauses = (const uint32_t*)split_at(at.program, header->pauses_offset);
    const uint32_t stop = call == header->pause_count ? header->step_count : pauses[call];
    uint32_t move = stream != NULL ? stream->move : split_first_move(at.program);
    for (at.step = call == 0 ? 0u : pauses[call - 1u]; at.step < stop; ++at.step) {
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
    return run_call(program, workspace, 0, NULL);
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
    return run_call(program, workspace, stream->call, stream);
}

split_rows split_nn_rows_of_call(const void* program, uint32_t call) {
    const uint8_t* blob = (const uint8_t*)program;
    split_rows found = {0, 0, 0, 0};
    for (uint32_t i = 0; i < split_header_of(blob)->op_count; ++i) {
        const split_op* op = split_op_at(blob, i);
        if (!SPLIT_NN_IS(op, SPLIT_OP_FETCH)) {
            continue;
        }
        const split_view* view = split_view_at(blob, op->input);
        const uint32_t rows = split_view_at(blob, op->output)->row_count;
        const uint32_t left = call < split_nn_calls(program) ? rows - call * view->row_count : 0u;
        found.address = split_row_offset(blob, split_storage_at(blob, view->storage), view->first_row);
        found.first_row = call * view->row_count;
        found.rows = left < view->row_count ? left : view->row_count;
        found.row_bytes = split_storage_at(blob, view->storage)->row_bytes;
        break;
    }
    return found;
}

split_status split_nn_run_rows(const void* program, uint8_t* workspace, split_next_rows* next_rows, void* user) {
    split_status status = places(program, workspace);
    if (status != SPLIT_OK) {
        return status;
    }
    if (next_rows == NULL) {
        return SPLIT_ERROR_NULL;
    }
    split_stream stream;
    split_nn_begin(program, &stream);
    const uint32_t calls = split_nn_calls(program);
    while (status == SPLIT_OK && stream.call < calls) {
        const split_rows next = split_nn_rows_of_call(program, stream.call);
        const int stopped = next_rows(user, workspace + next.address, next.first_row, next.rows);
        status = stopped ? SPLIT_ERROR_STOPPED : split_nn_continue(program, workspace, &stream);
    }
    return status;
}
