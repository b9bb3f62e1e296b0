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
#include "mutations.h"

#define MARGIN_BYTES ((size_t)1 << 20)
#define LARGEST_WORKSPACE_BYTES ((size_t)1 << 20)
#define LARGEST_PROGRAM_BYTES ((size_t)1 << 20)
#define OFFSETS_SPAN ((size_t)9 << 30)
#define MOST_WORK ((uint64_t)1 << 25)
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
static unsigned long long streamed = 0;
static unsigned long long remembering = 0;
static unsigned long long pushes = 0;
static unsigned long long resets = 0;

static void print_counts(void) {
    fprintf(
        stderr,
        "stat::programs: %llu prepared, %llu accepted, %llu run, %llu of them with moves, %llu streamed, %llu with a "
        "second memory\n"
        "stat::calls: %llu, %llu pictures broken off\n",
        prepared, accepted, run, moving, streamed, remembering, pushes, resets);
}

/* A program has a state or a slow memory, or neither. */
static size_t second_bytes_of(const uint8_t* program) {
    return (size_t)split_nn_state_bytes(program) + split_nn_slow_bytes(program);
}

static int runs_in_two(const uint8_t* program, uint8_t* workspace, uint8_t* second) {
    if (split_nn_slow_bytes(program) > 0) {
        return split_nn_run_with_slow_memory(program, workspace, second) == SPLIT_OK &&
               split_nn_run(program, workspace) == SPLIT_ERROR_SLOW_MEMORY;
    }
    split_nn_start(program, second);
    return split_nn_run_with_state(program, workspace, second) == SPLIT_OK &&
           split_nn_run(program, workspace) == SPLIT_ERROR_STATE;
}

/* Two inferences, a reset in between. The second memory is an area of its own. */
static void run_with_second_memory(const uint8_t* program, uint8_t* workspace) {
    static uint8_t* states = NULL;
    if (states == NULL) {
        states = new_area(LARGEST_WORKSPACE_BYTES);
    }
    const size_t bytes = second_bytes_of(program);
    __asan_unpoison_memory_region(states, bytes);
    ++remembering;
    for (int k = 0; k < 2; ++k) {
        if (!runs_in_two(program, workspace, states)) {
            fputs("a prepared program with a second memory did not run\n", stderr);
            abort();
        }
    }
    __asan_poison_memory_region(states, bytes + 8);
}

/* One call with some of its rows' bytes new, a random number of them; the others are what they were. */
static void push(const uint8_t* program, uint8_t* workspace, split_stream* stream, random_numbers* random) {
    const split_rows next = split_nn_rows_of_call(program, stream->call);
    const uint32_t bytes = next.rows * next.row_bytes;
    memset(workspace + next.address, (int)draw(random, 256), draw(random, bytes + 1));
    ++pushes;
    if (split_nn_continue(program, workspace, stream) != SPLIT_OK) {
        fputs("a prepared program did not run\n", stderr);
        abort();
    }
}

/* A picture, in all its calls. Before it come up to three others, each of which is broken off somewhere by a reset. */
static void run_calls(const uint8_t* program, uint8_t* workspace, random_numbers* random) {
    const uint32_t calls = split_nn_calls(program);
    split_stream stream;
    streamed += calls > 1;
    for (uint32_t broken_off = calls > 1 ? draw(random, 4) : 0; broken_off > 0; --broken_off) {
        split_nn_begin(program, &stream);
        for (uint32_t left = draw(random, calls + 1); left > 0; --left) {
            push(program, workspace, &stream, random);
        }
        ++resets;
    }
    split_nn_begin(program, &stream);
    for (uint32_t left = calls; left > 0; --left) {
        push(program, workspace, &stream, random);
    }
    if (split_nn_continue(program, workspace, &stream) != SPLIT_ERROR_STREAM) {
        fputs("a picture took more calls than it has\n", stderr);
        abort();
    }
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
        const int small =
            workspace_bytes <= LARGEST_WORKSPACE_BYTES && second_bytes_of(program) <= LARGEST_WORKSPACE_BYTES;
        if (small && work_of(program, MOST_WORK) <= MOST_WORK) {
            ++run;
            moving += split_header_of(program)->move_count > 0; /* each has a step, so all are carried out */
            __asan_unpoison_memory_region(workspaces, workspace_bytes);
            for (size_t i = 0; i < workspace_bytes; ++i) {
                workspaces[i] = (uint8_t)(i * 151u + bytes);
            }
            if (second_bytes_of(program) > 0) {
                run_with_second_memory(program, workspaces);
            } else {
                random_numbers random = {prepared * UINT64_C(0x9E3779B97F4A7C15) + bytes};
                run_calls(program, workspaces, &random);
            }
            if (memcmp(program, data, bytes) != 0) {
                fputs("a prepared program has changed\n", stderr);
                abort();
            }
            __asan_poison_memory_region(workspaces, workspace_bytes + 8);
        }
    }
    __asan_poison_memory_region(programs, bytes + 16);
    return 0;
}

/* ---- Mutations ---- */

/* The changes of one attempt, in place; the header's own words are mostly set right again. */
static size_t change(random_numbers* random, uint8_t* program, size_t bytes, size_t most_bytes) {
    if (bytes < sizeof(split_header) || draw(random, 16) == 0) {
        bytes = LLVMFuzzerMutate(program, bytes, most_bytes);
    } else {
        change_records(random, program, bytes);
    }
    mend_header(random, program, bytes);
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
