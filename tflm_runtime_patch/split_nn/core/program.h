/* Access to a program's records, for prepare, which checks them, and for run, which trusts them.
 * The blob is 4-aligned and its records are naturally aligned, so they are read in place. */
#ifndef SPLIT_NN_PROGRAM_H_
#define SPLIT_NN_PROGRAM_H_

#include "../generated/split_nn_format.h"
#include "../split_nn_config.h"

/* The kinds of op that this build can run, as a mask: bit k is kind k. A build for one program may define fewer. The
 * linker then drops the code of the others, and prepare refuses a program that has them. */
#ifndef SPLIT_NN_KINDS
#define SPLIT_NN_KINDS UINT64_MAX
#endif
#define SPLIT_NN_HAS(kind) ((int)(((uint64_t)(SPLIT_NN_KINDS) >> (kind)) & 1u))

/* Is an op of this kind? In a build without the kind this is a constant 0, so code behind it is dropped. */
#define SPLIT_NN_IS(op, of_kind) (SPLIT_NN_HAS(of_kind) && (op)->kind == (of_kind))

/* The offset of a row that has no address. */
#define SPLIT_NOWHERE UINT32_C(0xFFFFFFFF)

typedef struct split_step {
    uint32_t op;
    uint32_t row;
} split_step;

static inline const void* split_at(const uint8_t* program, uint32_t offset) {
    return program + offset;
}

static inline const split_header* split_header_of(const uint8_t* program) {
    return (const split_header*)split_at(program, 0);
}

static inline const split_storage* split_storage_at(const uint8_t* program, uint32_t index) {
    return (const split_storage*)split_at(program, split_header_of(program)->storages_offset) + index;
}

static inline const split_view* split_view_at(const uint8_t* program, uint32_t index) {
    return (const split_view*)split_at(program, split_header_of(program)->views_offset) + index;
}

static inline const split_op* split_op_at(const uint8_t* program, uint32_t index) {
    return (const split_op*)split_at(program, split_header_of(program)->ops_offset) + index;
}

static inline split_step split_step_at(const uint8_t* program, uint32_t index) {
    const split_header* header = split_header_of(program);
    const uint8_t* steps = program + header->steps_offset;
    split_step step;
    if (header->flags & SPLIT_FLAG_WIDE_STEPS) {
        const uint16_t* wide = (const uint16_t*)(const void*)steps + 2u * index;
        step.op = wide[0];
        step.row = wide[1];
    } else {
        step.op = steps[2u * index];
        step.row = steps[2u * index + 1u];
    }
    return step;
}

/* Is the second memory a slow one, and no state? */
static inline int split_is_slow(const uint8_t* program) {
    return (split_header_of(program)->flags & SPLIT_FLAG_SLOW_MEMORY) != 0;
}

/* The step before which the program pauses. The upper bits are flags. */
static inline uint32_t split_pause_step(uint32_t pause) {
    return pause & ~(SPLIT_PAUSE_TAKES | SPLIT_PAUSE_GIVES);
}

/* The byte offset of a storage's row: in the blob for CONSTANT, otherwise in the workspace and the second memory behind it.
 * SPLIT_NOWHERE if the row has no address. */
static inline uint32_t split_row_offset(const uint8_t* program, const split_storage* storage, uint32_t row) {
    if (storage->kind == SPLIT_STORAGE_TABLE16) {
        uint16_t units = ((const uint16_t*)split_at(program, storage->where))[row];
        return units == SPLIT_NO_ADDRESS16 ? SPLIT_NOWHERE : units * SPLIT_TABLE16_UNIT;
    }
    if (storage->kind == SPLIT_STORAGE_TABLE32) {
        uint32_t offset = ((const uint32_t*)split_at(program, storage->where))[row];
        return offset == SPLIT_NO_ADDRESS32 ? SPLIT_NOWHERE : offset;
    }
    return storage->where + row * storage->row_bytes;
}

static inline const split_move* split_move_at(const uint8_t* program, uint32_t index) {
    return (const split_move*)split_at(program, split_header_of(program)->moves_offset) + index;
}

/* The order in which moves are carried out. It is a chain behind their records: entry 0 is the first move, entry i + 1
 * the one that follows move i. The number of moves ends the chain. A program without moves has none. */
static inline const uint16_t* split_order_of_moves(const uint8_t* program) {
    return (const uint16_t*)(const void*)split_move_at(program, split_header_of(program)->move_count);
}

static inline uint32_t split_first_move(const uint8_t* program) {
    return split_header_of(program)->move_count > 0 ? split_order_of_moves(program)[0] : 0u;
}

static inline uint32_t split_move_after(const uint8_t* program, uint32_t index) {
    return split_order_of_moves(program)[1u + index];
}

static inline int split_moves_row(const split_move* move, uint32_t storage, uint32_t row) {
    return move->storage == storage && move->row == row;
}

/* Bytes of one entry in a storage's table of addresses. */
static inline uint32_t split_entry_bytes(const split_storage* storage) {
    return storage->kind == SPLIT_STORAGE_TABLE16 ? 2u : 4u;
}

/* For a storage whose rows move: by row, the index of its first move. Entry `row_count` ends the last row's. */
static inline const uint16_t* split_first_moves(const uint8_t* program, const split_storage* storage) {
    return (const uint16_t*)split_at(program, storage->where + storage->row_count * split_entry_bytes(storage));
}

static inline int split_moves_after(const split_move* move, uint32_t storage, uint32_t row, uint32_t step) {
    if (move->storage != storage) {
        return move->storage > storage;
    }
    return move->row != row ? move->row > row : move->step > step;
}

/* The offset of a row at `step`: where its last move up to then has put it, or its first address. */
uint32_t split_moved_row_offset(const uint8_t* program, const split_storage* storage, uint32_t row, uint32_t step);

/* The offset of a row at `step`, for storages of every kind. */
static inline uint32_t split_row_address(const uint8_t* program, uint32_t index, uint32_t row, uint32_t step) {
    const split_storage* storage = split_storage_at(program, index);
    if (SPLIT_NN_HAS(SPLIT_MOVES_BIT) && (storage->flags & SPLIT_STORAGE_MOVES)) {
        return split_moved_row_offset(program, storage, row, step);
    }
    return split_row_offset(program, storage, row);
}

/* The input row that window row k of output row `row` reads. Outside [0, input rows) it is padding. */
static inline int32_t split_window_row(const split_window_params* window, uint32_t row, uint32_t k) {
    return (int32_t)(row * window->stride_rows) - window->pad_rows + (int32_t)(k * window->dilation_rows);
}

/* The input row whose window row k falls on output row `row` of a transposed convolution; -1 if there is none. */
static inline int32_t split_transposed_row(const split_transposed_window_params* window, uint32_t row, uint32_t k) {
    int32_t reach = (int32_t)(row + window->pad_rows) - (int32_t)k;
    return reach >= 0 && reach % window->stride_rows == 0 ? reach / window->stride_rows : -1;
}

#endif /* SPLIT_NN_PROGRAM_H_ */
