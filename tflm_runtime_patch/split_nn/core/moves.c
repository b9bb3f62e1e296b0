/* Moves: rows that are copied to another address before a step. */
#include "copy.h"
#include "../ops/ops.h"

uint32_t split_moved_row_offset(const uint8_t* program, const split_storage* storage, uint32_t row, uint32_t step) {
    const uint16_t* first = split_first_moves(program, storage) + row;
    uint32_t offset = split_row_offset(program, storage, row);
    for (uint32_t i = first[0]; i < first[1]; ++i) {
        const split_move* move = split_move_at(program, i);
        if (move->step > step) {
            break;
        }
        offset = move->address;
    }
    return offset;
}

/* Carries out move `index`. The row is where its previous move has put it. Moves are sorted by row, so that one is the
 * record before, if it is of the same row. */
static void move_row(const split_machine* at, uint32_t index) {
    const split_move* move = split_move_at(at->program, index);
    const split_storage* storage = split_storage_at(at->program, move->storage);
    const split_move* last = index > 0 ? split_move_at(at->program, index - 1u) : NULL;
    const int again = last != NULL && split_moves_row(last, move->storage, move->row);
    const uint32_t from = again ? last->address : split_row_offset(at->program, storage, move->row);
    split_copy_row(at->workspace + move->address, at->workspace + from, storage->row_bytes);
}

uint32_t split_run_moves(const split_machine* at, uint32_t next) {
    const uint32_t count = split_header_of(at->program)->move_count;
    while (next < count && split_move_at(at->program, next)->step == at->step) {
        move_row(at, next);
        next = split_move_after(at->program, next);
    }
    return next;
}
