/* Runs on a board: every program of the host's programs.bin (`programs_file.h`). Writes two words for each to
 * results.bin: what happened (0: it ran), and a number that stands for all bytes of the workspace and the state
 * afterwards. Two builds, with the portable kernels and with those for the processor, must write the same.
 *
 * Every other workspace ends where RAM ends, and every other program does: reading one byte further faults. The other one
 * of the two lies between guards. Guards hold noise that is another one in each build (GUARD_NOISE): what is written
 * there is noticed at once, and what is read there makes a difference between the builds. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "board_guard.h"
#include "programs_file.h"
#include "semihosting.h"
#include "split_nn.h"

#define GUARD_BYTES 256u

enum { RAN, NOT_ACCEPTED, NOT_RUN, PROGRAM_CHANGED, GUARD_CHANGED };

__attribute__((aligned(16))) static uint8_t middle[LARGEST_WORKSPACE_BYTES + 2u * GUARD_BYTES + 16u];

/* What a program remembers, and a guard behind it. */
__attribute__((aligned(16))) static uint8_t remembered[LARGEST_WORKSPACE_BYTES + GUARD_BYTES];

typedef struct place {
    uint8_t* begin;
    uint32_t bytes;
    int has_end; /* there is a guard behind it, too */
} place;

/* Where `bytes` bytes lie in program number `number`: at any multiple of 4. */
static place place_of(uint32_t bytes, int at_ram_end, uint32_t number) {
    const uint32_t room = (bytes + 3u) & ~3u;
    uint8_t* const begin = at_ram_end ? (uint8_t*)RAM_END - room : middle + GUARD_BYTES + 4u * (number / 2u % 4u);
    const place found = {begin, room, !at_ram_end};
    return found;
}

static uint8_t guard_byte(uint32_t i) {
    return (uint8_t)((i * 37u) ^ GUARD_NOISE);
}

static void raise_guard_behind(const place* of) {
    for (uint32_t i = 0; i < GUARD_BYTES && of->has_end; ++i) {
        of->begin[of->bytes + i] = guard_byte(i);
    }
}

static void raise_guards(const place* around) {
    for (uint32_t i = 0; i < GUARD_BYTES; ++i) {
        around->begin[(int32_t)i - (int32_t)GUARD_BYTES] = guard_byte(i);
    }
    raise_guard_behind(around);
}

static int guard_behind_stands(const place* of) {
    for (uint32_t i = 0; i < GUARD_BYTES && of->has_end; ++i) {
        if (of->begin[of->bytes + i] != guard_byte(i)) {
            return 0;
        }
    }
    return 1;
}

static int guards_stand(const place* around) {
    for (uint32_t i = 0; i < GUARD_BYTES; ++i) {
        if (around->begin[(int32_t)i - (int32_t)GUARD_BYTES] != guard_byte(i)) {
            return 0;
        }
    }
    return guard_behind_stands(around);
}

static void fill_with_noise(uint8_t* bytes, uint32_t count, uint32_t seed) {
    uint32_t state = seed * UINT32_C(2654435761) + 1u;
    for (uint32_t i = 0; i < count; ++i) {
        state = state * UINT32_C(1664525) + UINT32_C(1013904223);
        bytes[i] = (uint8_t)(state >> 24);
    }
}

/* Of whole words. */
static uint32_t digest(const uint8_t* bytes, uint32_t count) {
    uint32_t value = UINT32_C(2166136261);
    for (uint32_t i = 0; i < count; i += 4u) {
        uint32_t word;
        memcpy(&word, bytes + i, sizeof word);
        value = (value ^ word) * UINT32_C(16777619);
        value ^= value >> 15;
    }
    return value;
}

typedef struct result {
    uint32_t status;
    uint32_t digest;
} result;

/* A streamed program finds in each call what it has made of its rows before, one that remembers what it has kept. */
static split_status run_all_calls(const uint8_t* program, uint8_t* workspace) {
    split_stream stream;
    split_status status = SPLIT_OK;
    if (split_nn_state_bytes(program) > 0) {
        split_nn_start(program, remembered);
        for (int k = 0; status == SPLIT_OK && k < 2; ++k) {
            status = split_nn_run_with_state(program, workspace, remembered);
        }
        return status;
    }
    if (split_nn_slow_bytes(program) > 0) {
        return split_nn_run_with_slow_memory(program, workspace, remembered);
    }
    split_nn_begin(program, &stream);
    while (status == SPLIT_OK && stream.call < split_nn_calls(program)) {
        status = split_nn_continue(program, workspace, &stream);
    }
    return status;
}

/* A program has a state or a slow memory, or neither. */
static uint32_t second_bytes_of(const uint8_t* program) {
    return split_nn_state_bytes(program) + split_nn_slow_bytes(program);
}

static result run(const place* program, uint32_t program_bytes, uint32_t number) {
    result found = {NOT_ACCEPTED, 0};
    if (split_nn_prepare(program->begin, program_bytes) != SPLIT_OK ||
        split_nn_workspace_bytes(program->begin) > LARGEST_WORKSPACE_BYTES ||
        second_bytes_of(program->begin) > LARGEST_WORKSPACE_BYTES) {
        return found;
    }
    const uint32_t state_bytes = (second_bytes_of(program->begin) + 3u) & ~3u;
    const place kept = {remembered, state_bytes, 1};
    const place workspace = place_of(split_nn_workspace_bytes(program->begin), number % 2u == 0, number);
    const uint32_t before = digest(program->begin, program->bytes);
    raise_guards(&workspace);
    raise_guard_behind(&kept);
    fill_with_noise(workspace.begin, workspace.bytes, number);
    fill_with_noise(remembered, state_bytes, number);
    found.status = run_all_calls(program->begin, workspace.begin) == SPLIT_OK ? RAN : NOT_RUN;
    found.digest = digest(workspace.begin, workspace.bytes) ^ digest(remembered, state_bytes);
    if (digest(program->begin, program->bytes) != before) {
        found.status = PROGRAM_CHANGED;
    } else if (!guards_stand(&workspace) || !guards_stand(program) || !guard_behind_stands(&kept)) {
        found.status = GUARD_CHANGED;
    }
    return found;
}

int main(void) {
    static const char programs_name[] = "programs.bin", results_name[] = "results.bin";
    guard_ram_end();
    trap_divisions_by_zero();
    const int32_t programs = semihosting_open(programs_name, sizeof programs_name - 1u, SEMIHOSTING_READ);
    const int32_t results = semihosting_open(results_name, sizeof results_name - 1u, SEMIHOSTING_WRITE);
    if (programs == -1 || results == -1) {
        return semihosting_fail("a file cannot be opened");
    }
    uint32_t bytes;
    for (uint32_t number = 0; semihosting_read(programs, &bytes, sizeof bytes) == 0; ++number) {
        if (bytes > LARGEST_PROGRAM_BYTES) {
            return semihosting_fail("a program is longer than the room for it");
        }
        const place program = place_of(bytes, number % 2u == 1, number);
        if (semihosting_read(programs, program.begin, program.bytes) != 0) {
            return semihosting_fail("a program is longer than the file");
        }
        raise_guards(&program);
        const result found = run(&program, bytes, number);
        semihosting_write(results, &found, sizeof found);
    }
    semihosting_close(results);
    semihosting_print("done\n");
    return 1;
}
