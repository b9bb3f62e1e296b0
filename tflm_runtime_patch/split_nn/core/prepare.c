/* Is this blob a program that is safe to run? Checks the header and the tables, then every record, then every step. */
#include <stddef.h>
#include <string.h>

#include "check.h"
#include "program.h"

/* Does a part of `count` records lie in the program, behind the part that ends at `*end`? Sets `*end` to its end. */
static int part_follows(const split_header* header, uint64_t* end, uint32_t offset, uint64_t count,
                        uint64_t record_bytes) {
    const uint64_t low = *end;
    *end = offset + count * record_bytes;
    return offset % 4u == 0 && split_lies_in(offset, count * record_bytes, low, header->total_bytes);
}

/* Records, and behind them one u16 for each and one more. */
static uint64_t bytes_of_moves(const split_header* header) {
    const uint64_t each = sizeof(split_move) + sizeof(uint16_t);
    return header->move_count > 0 ? header->move_count * each + sizeof(uint16_t) : 0u;
}

static int parts_follow_each_other(const split_header* header) {
    const uint32_t step_bytes = header->flags & SPLIT_FLAG_WIDE_STEPS ? 4u : 2u;
    const uint64_t ios = (uint64_t)header->input_count + header->output_count;
    uint64_t end = sizeof(split_header);
    return part_follows(header, &end, header->io_offset, ios, sizeof(split_io)) &&
           part_follows(header, &end, header->fills_offset, header->fill_count, sizeof(split_fill)) &&
           part_follows(header, &end, header->storages_offset, header->storage_count, sizeof(split_storage)) &&
           part_follows(header, &end, header->views_offset, header->view_count, sizeof(split_view)) &&
           part_follows(header, &end, header->ops_offset, header->op_count, sizeof(split_op)) &&
           part_follows(header, &end, header->moves_offset, bytes_of_moves(header), 1) &&
           part_follows(header, &end, header->pauses_offset, header->pause_count, sizeof(uint32_t)) &&
           part_follows(header, &end, header->steps_offset, header->step_count, step_bytes) &&
           part_follows(header, &end, header->constants_offset, 0, 1) &&
           header->constants_offset % SPLIT_CONSTANTS_ALIGNMENT == 0;
}

static split_status check_header(const uint8_t* program, size_t program_bytes) {
    const split_header* header = split_header_of(program);
    if (header->magic != SPLIT_MAGIC) {
        return SPLIT_ERROR_MAGIC;
    }
    if (header->version != SPLIT_VERSION) {
        return SPLIT_ERROR_VERSION;
    }
    if (header->total_bytes > program_bytes || header->total_bytes > INT32_MAX) {
        return SPLIT_ERROR_TRUNCATED;
    }
    if ((header->flags & ~(uint32_t)(SPLIT_FLAG_WIDE_STEPS | SPLIT_FLAG_SLOW_MEMORY)) != 0 ||
        header->workspace_bytes > INT32_MAX || header->second_bytes > INT32_MAX - header->workspace_bytes ||
        !parts_follow_each_other(header)) {
        return SPLIT_ERROR_HEADER;
    }
    return SPLIT_OK;
}

static split_status check_ios(const uint8_t* program) {
    const split_header* header = split_header_of(program);
    const uint32_t count = (uint32_t)header->input_count + header->output_count;
    for (uint32_t i = 0; i < count; ++i) {
        const split_io* io = split_nn_io(program, i);
        const int may_be_slow = SPLIT_NN_HAS(SPLIT_STATE_BIT) && split_is_slow(program);
        const int inside = may_be_slow ? split_lies_in_memory(header, io->address, io->bytes)
                                       : split_lies_in(io->address, io->bytes, 0, header->workspace_bytes);
        if (io->bytes == 0 || !inside) {
            return SPLIT_ERROR_IO;
        }
    }
    return SPLIT_OK;
}

/* Do the fills cover the state, or nothing of a slow memory? Does either start at a multiple of 4 bytes behind the workspace? */
static split_status check_second_memory(const uint8_t* program) {
    const split_header* header = split_header_of(program);
    const split_fill* fills = (const split_fill*)split_at(program, header->fills_offset);
    const split_status refused = split_is_slow(program) ? SPLIT_ERROR_SLOW_MEMORY : SPLIT_ERROR_STATE;
    if (!SPLIT_NN_HAS(SPLIT_STATE_BIT)) {
        const int none = header->second_bytes == 0 && header->fill_count == 0 && !split_is_slow(program);
        return none ? SPLIT_OK : refused;
    }
    uint64_t covered = 0;
    for (uint32_t i = 0; i < header->fill_count; ++i) {
        if (fills[i].bytes == 0 || fills[i].value > UINT8_MAX) {
            return SPLIT_ERROR_STATE;
        }
        covered += fills[i].bytes;
    }
    const int aligned = header->second_bytes == 0 || header->workspace_bytes % SPLIT_NN_ALIGNMENT == 0;
    const int filled =
        split_is_slow(program) ? covered == 0 && header->second_bytes > 0 : covered == header->second_bytes;
    return filled && aligned ? SPLIT_OK : refused;
}

#ifndef SPLIT_NN_NO_CHECKSUM
/* Adds words to a checksum: each is mixed, and all that were there before are multiplied once more. */
static uint32_t add_words(uint32_t sum, const uint32_t* words, uint32_t count) {
    for (uint32_t i = 0; i < count; ++i) {
        sum = sum * SPLIT_CHECKSUM_FACTOR + (words[i] ^ words[i] >> 16);
    }
    return sum;
}

/* The checksum of a program whose header has been checked. `program/checksum.py` says what it is and what it notices. */
static uint32_t checksum_of(const uint8_t* program) {
    const uint32_t* words = (const uint32_t*)split_at(program, 0);
    const uint32_t own = offsetof(split_header, checksum) / sizeof(uint32_t);
    const uint32_t bytes = split_header_of(program)->total_bytes;
    const uint32_t count = bytes / sizeof(uint32_t);
    uint32_t sum = add_words(0, words, own);
    sum = add_words(sum * SPLIT_CHECKSUM_FACTOR, words + own + 1u, count - own - 1u);
    if (bytes % sizeof(uint32_t) != 0) {
        uint32_t rest = 0;
        memcpy(&rest, words + count, bytes % sizeof(uint32_t));
        sum = add_words(sum, &rest, 1);
    }
    return sum;
}

static split_status check_checksum(const uint8_t* program) {
    const uint32_t held = split_header_of(program)->checksum;
    return held == 0 || held == checksum_of(program) ? SPLIT_OK : SPLIT_ERROR_CHECKSUM;
}
#else
static split_status check_checksum(const uint8_t* program) {
    (void)program;
    return SPLIT_OK;
}
#endif

typedef split_status (*record_check)(const uint8_t* program, uint32_t index);

static split_status check_each(const uint8_t* program, uint32_t count, record_check check) {
    split_status status = SPLIT_OK;
    for (uint32_t i = 0; i < count && status == SPLIT_OK; ++i) {
        status = check(program, i);
    }
    return status;
}

split_status split_nn_prepare(const void* program, size_t program_bytes) {
    const uint8_t* blob = (const uint8_t*)program;
    if (blob == NULL) {
        return SPLIT_ERROR_NULL;
    }
    if ((uintptr_t)blob % SPLIT_NN_ALIGNMENT != 0) {
        return SPLIT_ERROR_ALIGNMENT;
    }
    if (program_bytes < sizeof(split_header)) {
        return SPLIT_ERROR_TRUNCATED;
    }
    const split_header* header = split_header_of(blob);
    split_status status = check_header(blob, program_bytes);
    if (status == SPLIT_OK) {
        status = check_ios(blob);
    }
    if (status == SPLIT_OK) {
        status = check_second_memory(blob);
    }
    if (status == SPLIT_OK) {
        status = check_each(blob, header->storage_count, split_check_storage);
    }
    if (status == SPLIT_OK) {
        status = check_each(blob, header->view_count, split_check_view);
    }
    if (status == SPLIT_OK) {
        status = check_each(blob, header->op_count, split_check_op);
    }
    if (status == SPLIT_OK) {
        status = check_each(blob, header->step_count, split_check_step);
    }
    if (status == SPLIT_OK) {
        status = check_each(blob, header->move_count, split_check_move);
    }
    if (status == SPLIT_OK) {
        status = split_check_order_of_moves(blob);
    }
    if (status == SPLIT_OK) {
        status = split_check_pauses(blob);
    }
    if (status == SPLIT_OK) {
        status = check_each(blob, header->storage_count, split_check_first_moves);
    }
    if (status == SPLIT_OK) {
        status = check_checksum(blob);
    }
    return status;
}

const char* split_nn_status_text(split_status status) {
    static const char* const texts[SPLIT_STATUS_COUNT] = {
        "ok",
        "no program or no workspace was given",
        "the program or the workspace does not start at a multiple of 4 bytes",
        "the program is shorter than it says",
        "this is not a TFLM_SPLIT program, or the machine is not little-endian",
        "the program has another version than this executor",
        "the program's header names tables outside the program, or has an unknown flag",
        "an input or output lies outside the workspace and the slow memory",
        ("a storage leaves workspace or program, is of an unknown kind, or has rows that move in a build without moves "
         "(SPLIT_NN_KINDS)"),
        "a view reaches outside its storage, or its elements are not aligned",
        "an operator is of an unknown kind, or names views it cannot have",
        "an operator's views do not fit together",
        "an operator's window is empty, too tall or too wide",
        "an operator's parameters are out of range",
        "an operator's weights or tables lie outside the program's constants, or hold values out of range",
        "a step names an operator or a row that does not exist",
        "a step reads or writes a row that has no address",
        "a move names a row or a step that does not exist, leaves the workspace, or is out of order",
        "a pause is out of order, or rows are not taken in or handed over once, in order, each in its call",
        "this program takes several calls, and all have been made or split_nn_run() was called",
        "the caller ended the run",
        "the program was altered after it was made: its checksum does not match its bytes",
        "the program needs a kind of step that SPLIT_NN_KINDS leaves out of this build (split_nn_config.h, or a flag)",
        ("the program keeps a state: call split_nn_run_with_state() in a build with state (SPLIT_NN_KINDS); or its "
         "state is "
         "not what its fills say"),
        ("the program needs a slow memory: call split_nn_run_with_slow_memory() in a build with a second memory "
         "(SPLIT_NN_KINDS)"),
    };
    uint32_t index = (uint32_t)status;
    return index < SPLIT_STATUS_COUNT ? texts[index] : "unknown status";
}

uint32_t split_nn_workspace_bytes(const void* program) {
    return split_header_of((const uint8_t*)program)->workspace_bytes;
}

uint32_t split_nn_state_bytes(const void* program) {
    const uint8_t* blob = (const uint8_t*)program;
    return split_is_slow(blob) ? 0u : split_header_of(blob)->second_bytes;
}

uint32_t split_nn_slow_bytes(const void* program) {
    const uint8_t* blob = (const uint8_t*)program;
    return split_is_slow(blob) ? split_header_of(blob)->second_bytes : 0u;
}

uint32_t split_nn_input_count(const void* program) {
    return split_header_of((const uint8_t*)program)->input_count;
}

uint32_t split_nn_output_count(const void* program) {
    return split_header_of((const uint8_t*)program)->output_count;
}

const split_io* split_nn_io(const void* program, uint32_t index) {
    const uint8_t* blob = (const uint8_t*)program;
    return (const split_io*)split_at(blob, split_header_of(blob)->io_offset) + index;
}
