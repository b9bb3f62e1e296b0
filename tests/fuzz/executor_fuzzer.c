/* libFuzzer target: whatever split_nn_prepare() accepts runs inside its own memory.
 *
 * Program and workspace lie at their exact sizes in two areas of their own. Around each, MARGIN_BYTES are poisoned
 * for the address sanitizer, and gigabytes beyond them are not mapped, more than any offset of a program can span:
 * one byte read or written outside ends the process. The program must also be unchanged after the run. Every other
 * program lies 4 bytes after a multiple of 8, since 4 is what the executor asks for.
 *
 * Not run, only prepared: programs with a workspace above LARGEST_WORKSPACE_BYTES, and programs whose steps could
 * take more than MOST_WORK elementary operations in all. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <sanitizer/asan_interface.h>

#include "split_nn.h"
#include "core/program.h"

#define MARGIN_BYTES ((size_t)1 << 20)
#define LARGEST_WORKSPACE_BYTES ((size_t)1 << 20)
#define LARGEST_PROGRAM_BYTES ((size_t)1 << 20)
#define MOST_WORK ((uint64_t)1 << 25)
#define OFFSETS_SPAN ((size_t)9 << 30)
#define PAGE_BYTES ((size_t)4096)

size_t LLVMFuzzerMutate(uint8_t* data, size_t bytes, size_t most_bytes);
int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes);
size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t bytes, size_t most_bytes, unsigned int seed);

/* ---- Memory ---- */

/* `bytes` that may be touched, MARGIN_BYTES of poison on both sides, nothing mapped beyond. */
static uint8_t* new_area(size_t bytes) {
    const size_t mapped = (bytes + 2 * MARGIN_BYTES + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
    uint8_t* reserved =
        mmap(NULL, 2 * OFFSETS_SPAN + mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (reserved == MAP_FAILED || mprotect(reserved + OFFSETS_SPAN, mapped, PROT_READ | PROT_WRITE) != 0) {
        fputs("no memory to fuzz in\n", stderr);
        abort();
    }
    __asan_poison_memory_region(reserved + OFFSETS_SPAN, mapped);
    return reserved + OFFSETS_SPAN + MARGIN_BYTES;
}

/* ---- How much would it do? ---- */

/* An upper bound for any kind: a step reads each weight at most once per output pixel, and each element of at most
 * SPLIT_MAX_WINDOW_ROWS rows of each operand at most once per output element; a move copies its row once. */
static uint64_t work_of(const uint8_t* program) {
    const split_header* header = split_header_of(program);
    uint64_t work = 0;
    for (uint32_t i = 0; i < header->step_count && work <= MOST_WORK; ++i) {
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
    for (uint32_t i = 0; i < header->move_count && work <= MOST_WORK; ++i) {
        work += split_storage_at(program, split_move_at(program, i)->storage)->row_bytes;
    }
    return work;
}

/* ---- Programs that were accepted, to start from again ---- */

typedef union aligned_program {
    uint64_t alignment;
    uint8_t bytes[8192];
} aligned_program;

typedef struct pooled_program {
    aligned_program program;
    size_t bytes;
} pooled_program;

#define POOL_PROGRAMS 1024u
static pooled_program pool[POOL_PROGRAMS];
static uint32_t pool_count = 0;

static void remember(const uint8_t* data, size_t bytes, unsigned long long number) {
    if (bytes <= sizeof pool[0].program.bytes) {
        const uint32_t at = pool_count < POOL_PROGRAMS ? pool_count++ : (uint32_t)(number * 40503u % POOL_PROGRAMS);
        memcpy(pool[at].program.bytes, data, bytes);
        pool[at].bytes = bytes;
    }
}

/* ---- The target ---- */

static unsigned long long prepared = 0;
static unsigned long long accepted = 0;
static unsigned long long run = 0;
static unsigned long long moving = 0;

static void print_counts(void) {
    fprintf(stderr, "stat::programs: %llu prepared, %llu accepted, %llu run, %llu of them with moves\n", prepared,
            accepted, run, moving);
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes) {
    static uint8_t* programs = NULL;
    static uint8_t* workspaces = NULL;
    if (programs == NULL) {
        atexit(print_counts);
        programs = new_area(LARGEST_PROGRAM_BYTES);
        workspaces = new_area(LARGEST_WORKSPACE_BYTES);
    }
    if (bytes > LARGEST_PROGRAM_BYTES - 8) {
        return 0;
    }
    uint8_t* program = programs + 4 * (prepared++ % 2);
    __asan_unpoison_memory_region(program, bytes);
    memcpy(program, data, bytes);
    if (split_nn_prepare(program, bytes) == SPLIT_OK) {
        if (accepted++ % 16 == 0) {
            remember(data, bytes, accepted);
        }
        const size_t workspace_bytes = split_nn_workspace_bytes(program);
        if (workspace_bytes <= LARGEST_WORKSPACE_BYTES && work_of(program) <= MOST_WORK) {
            ++run;
            moving += split_header_of(program)->move_count > 0; /* each has a step, so all are carried out */
            __asan_unpoison_memory_region(workspaces, workspace_bytes);
            for (size_t i = 0; i < workspace_bytes; ++i) {
                workspaces[i] = (uint8_t)(i * 151u + bytes);
            }
            if (split_nn_run(program, workspaces) != SPLIT_OK || memcmp(program, data, bytes) != 0) {
                fputs("a prepared program did not run, or has changed\n", stderr);
                abort();
            }
            __asan_poison_memory_region(workspaces, workspace_bytes + 8);
        }
    }
    __asan_poison_memory_region(programs, bytes + 16);
    return 0;
}

/* ---- Mutations that know where the records are ---- */

typedef struct random_numbers {
    uint64_t state;
} random_numbers;

static uint32_t draw(random_numbers* from, uint32_t below) {
    from->state = from->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return below == 0 ? 0 : (uint32_t)(from->state >> 33) % below;
}

/* A table of records: where it starts, how many there are, how long each is. */
typedef struct table {
    uint64_t start;
    uint32_t count;
    uint32_t bytes;
} table;

enum { HEADER, IOS, STORAGES, VIEWS, OPS, MOVES, TURNS, STEPS, PARAMS, ROWS, TABLES };
#define LONGEST_PARAMS_BYTES 64u

static table table_of(const uint8_t* program, size_t bytes, uint32_t which, random_numbers* random) {
    const split_header* header = (const split_header*)(const void*)program;
    table found = {0, 1, sizeof(split_header)};
    switch (which) {
        case IOS:
            found = (table){header->io_offset, (uint32_t)header->input_count + header->output_count, sizeof(split_io)};
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

/* The changes of one attempt, in place; the header's own words are mostly set right again. */
static size_t change(random_numbers* random, uint8_t* program, size_t bytes, size_t most_bytes) {
    if (bytes < sizeof(split_header) || draw(random, 16) == 0) {
        bytes = LLVMFuzzerMutate(program, bytes, most_bytes);
    } else {
        for (uint32_t k = 1 + draw(random, 4) * draw(random, 2); k > 0; --k) {
            const table found = table_of(program, bytes, draw(random, TABLES), random);
            if (draw(random, 6) == 0) {
                exchange_records(random, program, bytes, &found);
            } else {
                change_field(random, program, bytes, &found);
            }
        }
    }
    if (bytes >= sizeof(split_header)) {
        split_header* header = (split_header*)(void*)program;
        if (draw(random, 64) != 0) {
            header->magic = SPLIT_MAGIC;
            header->version = SPLIT_VERSION;
            header->reserved = 0;
        }
        if (draw(random, 64) != 0) {
            header->total_bytes = (uint32_t)bytes;
        }
    }
    return bytes;
}

/* Half of all mutations start from a program that was accepted, and half are tried again a few times until they give
 * one: left alone, nearly all would end in split_nn_prepare(). */
size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t bytes, size_t most_bytes, unsigned int seed) {
    random_numbers random = {seed * UINT64_C(0x9E3779B97F4A7C15) + 1};
    draw(&random, 2);
    if (pool_count > 0 && draw(&random, 2) != 0) {
        const pooled_program* from = &pool[draw(&random, pool_count)];
        if (from->bytes <= most_bytes) {
            bytes = from->bytes;
            memcpy(data, from->program.bytes, bytes);
        }
    }
    static aligned_program attempt;
    if (most_bytes > sizeof attempt.bytes || bytes > most_bytes) {
        return change(&random, data, bytes, most_bytes);
    }
    size_t attempt_bytes = bytes;
    for (uint32_t attempts = draw(&random, 2) * 12 + 1; attempts > 0; --attempts) {
        memcpy(attempt.bytes, data, bytes);
        attempt_bytes = change(&random, attempt.bytes, bytes, most_bytes);
        if (split_nn_prepare(attempt.bytes, attempt_bytes) == SPLIT_OK) {
            break;
        }
    }
    memcpy(data, attempt.bytes, attempt_bytes);
    return attempt_bytes;
}
