#include "mutations.h"

#include <string.h>

#include "core/program.h"

uint32_t draw(random_numbers* from, uint32_t below) {
    from->state = from->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return below == 0 ? 0 : (uint32_t)(from->state >> 33) % below;
}

/* A table of records: where it starts, how many there are, how long each is. */
typedef struct table {
    uint64_t start;
    uint32_t count;
    uint32_t bytes;
} table;

enum { HEADER, IOS, FILLS, STORAGES, VIEWS, OPS, MOVES, TURNS, STEPS, PARAMS, ROWS, CONSTANTS, TABLES };
#define LONGEST_PARAMS_BYTES 64u

static table table_of(const uint8_t* program, size_t bytes, uint32_t which, random_numbers* random) {
    const split_header* header = (const split_header*)(const void*)program;
    table found = {0, 1, sizeof(split_header)};
    switch (which) {
        case IOS:
            found = (table){header->io_offset, (uint32_t)header->input_count + header->output_count, sizeof(split_io)};
            break;
        case FILLS:
            found = (table){header->fills_offset, header->fill_count, sizeof(split_fill)};
            break;
        case STORAGES:
            found = (table){header->storages_offset, header->storage_count, sizeof(split_storage)};
            break;
        case VIEWS:
            found = (table){header->views_offset, header->view_count, sizeof(split_view)};
            break;
        case OPS:
            found = (table){header->ops_offset, header->op_count, sizeof(split_op)};
            break;
        case MOVES:
            found = (table){header->moves_offset, header->move_count, sizeof(split_move)};
            break;
        case TURNS:
            found = (table){header->moves_offset + (uint64_t)header->move_count * sizeof(split_move),
                            header->move_count, sizeof(uint16_t)};
            break;
        case STEPS:
            found = (table){header->steps_offset, header->step_count, header->flags & SPLIT_FLAG_WIDE_STEPS ? 4u : 2u};
            break;
        case PARAMS: {
            const uint64_t at = header->ops_offset + (uint64_t)draw(random, header->op_count) * sizeof(split_op);
            if (at + sizeof(split_op) <= bytes && at % 4 == 0) {
                found = (table){((const split_op*)(const void*)(program + at))->params_offset, 1, LONGEST_PARAMS_BYTES};
            }
            break;
        }
        case ROWS: {
            const uint64_t at =
                header->storages_offset + (uint64_t)draw(random, header->storage_count) * sizeof(split_storage);
            if (at + sizeof(split_storage) <= bytes && at % 4 == 0) {
                const split_storage* storage = (const split_storage*)(const void*)(program + at);
                found = (table){storage->where, storage->row_count, storage->kind == SPLIT_STORAGE_TABLE16 ? 2u : 4u};
            }
            break;
        }
        case CONSTANTS: /* biases, multipliers, shifts, weights and tables, as words */
            if (header->constants_offset <= bytes) {
                found = (table){header->constants_offset, (uint32_t)(bytes - header->constants_offset) / 4u, 4u};
            }
            break;
        default:
            break;
    }
    return found;
}

/* Another value for a field that had `old`: near it, an extreme, a size of the program, or anything. */
static uint32_t other_value(random_numbers* random, const uint8_t* program, size_t bytes, uint32_t old) {
    static const uint32_t extremes[] = {0,      1,      2,      3,      4,          0x7F,       0x80,       0xFF,
                                        0x7FFF, 0x8000, 0xFFFE, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF};
    const split_header* header = (const split_header*)(const void*)program;
    switch (draw(random, 8)) {
        case 0:
            return old + 1;
        case 1:
            return old - 1;
        case 2:
            return old + 4u * draw(random, 64) - 128u;
        case 3:
            return extremes[draw(random, sizeof extremes / sizeof extremes[0])];
        case 4:
            return draw(random, 24);
        case 5:
            return draw(random, (uint32_t)bytes) & ~3u;
        case 6:
            return header->workspace_bytes - draw(random, 16);
        default:
            return draw(random, UINT32_MAX) ^ (draw(random, 2) << 31);
    }
}

static void change_field(random_numbers* random, uint8_t* program, size_t bytes, const table* in) {
    const uint64_t record = in->start + (uint64_t)draw(random, in->count) * in->bytes;
    const uint32_t width = in->bytes < 4 || draw(random, 2) ? (in->bytes == 2 && draw(random, 2) ? 1u : 2u) : 4u;
    const uint64_t at = record + draw(random, in->bytes / width) * width;
    if (at + width <= bytes) {
        uint32_t old = 0;
        memcpy(&old, program + at, width);
        old = other_value(random, program, bytes, old);
        memcpy(program + at, &old, width);
    }
}

/* One record becomes a copy of another, or two change places. */
static void exchange_records(random_numbers* random, uint8_t* program, size_t bytes, const table* in) {
    const uint64_t a = in->start + (uint64_t)draw(random, in->count) * in->bytes;
    const uint64_t b = in->start + (uint64_t)draw(random, in->count) * in->bytes;
    uint8_t kept[LONGEST_PARAMS_BYTES];
    if (in->bytes <= sizeof kept && a + in->bytes <= bytes && b + in->bytes <= bytes) {
        memcpy(kept, program + a, in->bytes);
        memmove(program + a, program + b, in->bytes);
        if (draw(random, 2)) {
            memcpy(program + b, kept, in->bytes);
        }
    }
}

void change_records(random_numbers* random, uint8_t* program, size_t bytes) {
    for (uint32_t k = 1 + draw(random, 4) * draw(random, 2); k > 0; --k) {
        const table found = table_of(program, bytes, draw(random, TABLES), random);
        if (draw(random, 6) == 0) {
            exchange_records(random, program, bytes, &found);
        } else {
            change_field(random, program, bytes, &found);
        }
    }
}

void mend_header(random_numbers* random, uint8_t* program, size_t bytes) {
    if (bytes < sizeof(split_header)) {
        return;
    }
    split_header* header = (split_header*)(void*)program;
    if (draw(random, 64) != 0) {
        header->magic = SPLIT_MAGIC;
        header->version = SPLIT_VERSION;
        header->checksum = 0; /* not checked */
    }
    if (draw(random, 64) != 0) {
        header->total_bytes = (uint32_t)bytes;
    }
}

/* An upper bound for any kind: a step reads each weight at most once per output pixel, and each element of at most
 * SPLIT_MAX_WINDOW_ROWS rows of each operand at most once per output element; a move copies its row once. */
uint64_t work_of(const uint8_t* program, uint64_t most) {
    const split_header* header = split_header_of(program);
    uint64_t work = 0;
    for (uint32_t i = 0; i < header->step_count && work <= most; ++i) {
        const split_op* op = split_op_at(program, split_step_at(program, i).op);
        const split_view* out = split_view_at(program, op->output);
        const split_view* in = split_view_at(program, op->input);
        const uint64_t in_elements = (uint64_t)in->column_count * in->channel_count;
        const uint64_t constants = header->total_bytes - header->constants_offset;
        work += (uint64_t)out->column_count * (constants + out->channel_count);
        work += in_elements * SPLIT_MAX_WINDOW_ROWS;
        if (op->kind == SPLIT_OP_AVERAGE_POOL || op->kind == SPLIT_OP_MAX_POOL) {
            work += in_elements * SPLIT_MAX_WINDOW_ROWS * out->column_count;
        }
    }
    for (uint32_t i = 0; i < header->move_count && work <= most; ++i) {
        work += split_storage_at(program, split_move_at(program, i)->storage)->row_bytes;
    }
    return work;
}
