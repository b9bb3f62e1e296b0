/* Does a streamed program take in each row once, in order, in the call that brings it? */
#include "check.h"
#include "program.h"

/* The ops that fetch rows, and how many rows each has fetched so far. */
typedef struct streams {
    uint32_t count;
    uint32_t ops[SPLIT_MAX_STREAMS];
    uint32_t fetched[SPLIT_MAX_STREAMS];
} streams;

static const split_view* rows_of_call(const uint8_t* program, uint32_t op) {
    return split_view_at(program, split_op_at(program, op)->input);
}

/* Can the caller write the rows of a call one after the other? Do they lie in the workspace, and never move? */
static int rows_follow_each_other(const uint8_t* program, const split_view* view) {
    const split_storage* storage = split_storage_at(program, view->storage);
    const uint32_t first = split_row_offset(program, storage, view->first_row);
    if (storage->kind == SPLIT_STORAGE_CONSTANT || storage->flags != 0 || first == SPLIT_NOWHERE) {
        return 0;
    }
    for (uint32_t row = 1; row < view->row_count; ++row) {
        if (split_row_offset(program, storage, view->first_row + row) != first + row * storage->row_bytes) {
            return 0;
        }
    }
    return 1;
}

/* Finds the ops that fetch. Returns 0 if there are too many, or if their rows do not come in `calls` calls. */
static int find_streams(const uint8_t* program, uint32_t calls, streams* found) {
    found->count = 0;
    for (uint32_t i = 0; i < split_header_of(program)->op_count; ++i) {
        const split_op* op = split_op_at(program, i);
        if (!SPLIT_NN_IS(op, SPLIT_OP_FETCH)) {
            continue;
        }
        const uint32_t each = rows_of_call(program, i)->row_count;
        const uint32_t rows = split_view_at(program, op->output)->row_count;
        if (found->count == SPLIT_MAX_STREAMS || (rows + each - 1u) / each != calls ||
            !rows_follow_each_other(program, rows_of_call(program, i))) {
            return 0;
        }
        found->ops[found->count] = i;
        found->fetched[found->count] = 0;
        ++found->count;
    }
    return found->count > 0 || calls == 1u;
}

/* If the step fetches a row, is that the next one, and does it come in call `call`? Counts it. */
static int fetches_in_turn(const uint8_t* program, split_step step, uint32_t call, streams* found) {
    for (uint32_t k = 0; k < found->count; ++k) {
        if (found->ops[k] == step.op) {
            const uint32_t each = rows_of_call(program, step.op)->row_count;
            return step.row == found->fetched[k]++ && step.row / each == call;
        }
    }
    return 1;
}

static int fetched_all(const uint8_t* program, const streams* found) {
    for (uint32_t k = 0; k < found->count; ++k) {
        const split_op* op = split_op_at(program, found->ops[k]);
        if (found->fetched[k] != split_view_at(program, op->output)->row_count) {
            return 0;
        }
    }
    return 1;
}

split_status split_check_pauses(const uint8_t* program) {
    const split_header* header = split_header_of(program);
    const uint32_t* pauses = (const uint32_t*)split_at(program, header->pauses_offset);
    const uint32_t count = header->pause_count;
    streams found;
    if (count >= SPLIT_NONE || (count > 0 && pauses[0] == 0) || !find_streams(program, count + 1u, &found)) {
        return SPLIT_ERROR_PAUSE;
    }
    if (found.count == 0) {
        return SPLIT_OK;
    }
    uint32_t call = 0;
    for (uint32_t i = 0; i < header->step_count; ++i) {
        if (call < count && pauses[call] == i) {
            ++call;
        }
        if (!fetches_in_turn(program, split_step_at(program, i), call, &found)) {
            return SPLIT_ERROR_PAUSE;
        }
    }
    return call == count && fetched_all(program, &found) ? SPLIT_OK : SPLIT_ERROR_PAUSE;
}
