/* Does a streamed program take in each row once, in order, in the call that brings it? Does it hand over each row once, in
 * order, at the end of the call that says so? */
#include "check.h"
#include "program.h"

/* An op that takes in (FETCH) or hands over (EMIT) all rows of a tensor, `each` in one call. */
typedef struct stream {
    uint32_t op;
    uint32_t rows;
    uint32_t each;
    uint32_t done;
    int emits;
} stream;

typedef struct streams {
    uint32_t count;
    stream of[SPLIT_MAX_STREAMS];
    uint32_t taken; /* calls that brought rows so far, with the present one */
    uint32_t given; /* calls before the present one that handed over rows */
    int takes;      /* whether a step of the present call takes in the first row that it brings */
    int gives;      /* whether a step of the present call makes the last row that it hands over */
} streams;

/* Do the rows of a call lie one after the other in the workspace, and never move? */
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

/* Finds the ops that fetch and emit. Returns 0 if there are too many, or if the caller cannot reach their rows. */
static int find_streams(const uint8_t* program, streams* found) {
    found->count = found->taken = found->given = 0;
    found->takes = found->gives = 0;
    for (uint32_t i = 0; i < split_header_of(program)->op_count; ++i) {
        const split_op* op = split_op_at(program, i);
        const int emits = SPLIT_NN_IS(op, SPLIT_OP_EMIT);
        if (!emits && !SPLIT_NN_IS(op, SPLIT_OP_FETCH)) {
            continue;
        }
        const split_view* of_call = split_view_at(program, emits ? op->output : op->input);
        const split_view* whole = split_view_at(program, emits ? op->input : op->output);
        if (found->count == SPLIT_MAX_STREAMS || !rows_follow_each_other(program, of_call)) {
            return 0;
        }
        const stream one = {i, whole->row_count, of_call->row_count, 0, emits};
        found->of[found->count++] = one;
        found->taken = emits ? found->taken : 1u; /* the first call brings rows */
    }
    return 1;
}

/* If the step fetches or emits a row, is that the next one, and does the present call bring it or hand it over? */
static int comes_in_turn(split_step step, streams* found) {
    for (uint32_t k = 0; k < found->count; ++k) {
        stream* one = &found->of[k];
        if (one->op != step.op) {
            continue;
        }
        const uint32_t slot = step.row % one->each;
        if (one->emits) {
            found->gives |= slot == one->each - 1u || step.row == one->rows - 1u;
        } else {
            found->takes |= slot == 0 && step.row > 0;
        }
        const uint32_t call = one->emits ? found->given : found->taken - 1u;
        return step.row == one->done++ && step.row / one->each == call;
    }
    return 1;
}

/* The call ends, and the next one begins. Have both been announced truly? */
static int passes_pause(streams* found, int call_takes, uint32_t pause) {
    const int truly = found->takes == call_takes && found->gives == ((pause & SPLIT_PAUSE_GIVES) != 0) &&
                      split_pause_step(pause) != pause; /* a pause without rows is none */
    found->taken += (pause & SPLIT_PAUSE_TAKES) != 0;
    found->given += (uint32_t)found->gives;
    found->takes = found->gives = 0;
    return truly;
}

static int all_done(const streams* found) {
    for (uint32_t k = 0; k < found->count; ++k) {
        if (found->of[k].done != found->of[k].rows) {
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
    const int kept = header->second_bytes > 0 && !split_is_slow(program);
    if (SPLIT_NN_HAS(SPLIT_STATE_BIT) &&
        ((kept && (!find_streams(program, &found) || found.count > 0)) || (header->second_bytes > 0 && count > 0))) {
        return SPLIT_ERROR_PAUSE;
    }
    if (count >= SPLIT_NONE || (count > 0 && split_pause_step(pauses[0]) == 0) || !find_streams(program, &found) ||
        (count > 0 && found.count == 0)) {
        return SPLIT_ERROR_PAUSE;
    }
    uint32_t call = 0;
    int takes = 0; /* whether the present call is said to bring rows; the first one may or may not */
    for (uint32_t i = 0; found.count > 0 && i < header->step_count; ++i) {
        if (call < count && split_pause_step(pauses[call]) == i) {
            if (!passes_pause(&found, takes, pauses[call])) {
                return SPLIT_ERROR_PAUSE;
            }
            takes = (pauses[call++] & SPLIT_PAUSE_TAKES) != 0;
        }
        if (!comes_in_turn(split_step_at(program, i), &found)) {
            return SPLIT_ERROR_PAUSE;
        }
    }
    return call == count && found.takes == takes && all_done(&found) ? SPLIT_OK : SPLIT_ERROR_PAUSE;
}
