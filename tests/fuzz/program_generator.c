/* Writes programs that split_nn_prepare() accepts, most of them mutations of the ones it is given:
 *
 *     program_generator SEED COUNT OUTPUT PROGRAM...
 *
 * A file of programs is, for each, a word with its length in bytes and the program, filled up to a multiple of 4. Left out
 * are programs that take too long or need more memory than `board_runner.c` has. The same arguments give the same file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "split_nn.h"
#include "core/program.h"
#include "mutations.h"
#include "programs_file.h"

#define MOST_WORK ((uint64_t)1 << 21)
#define POOL_PROGRAMS 4096u
#define ATTEMPTS_PER_PROGRAM 100u

typedef union aligned_program {
    uint64_t alignment;
    uint8_t bytes[LARGEST_PROGRAM_BYTES];
} aligned_program;

/* What programs are made from: those given, then accepted ones, of which later ones take the place of earlier ones. */
static aligned_program pool[POOL_PROGRAMS];
static uint32_t pool_bytes[POOL_PROGRAMS];
static uint32_t pool_count = 0;

static void remember(const uint8_t* program, uint32_t bytes, uint32_t at) {
    memcpy(pool[at].bytes, program, bytes);
    pool_bytes[at] = bytes;
}

static int is_runnable(const uint8_t* program, uint32_t bytes) {
    return split_nn_prepare(program, bytes) == SPLIT_OK &&
           split_nn_workspace_bytes(program) <= LARGEST_WORKSPACE_BYTES &&
           (uint64_t)split_nn_state_bytes(program) + split_nn_slow_bytes(program) <= LARGEST_WORKSPACE_BYTES &&
           work_of(program, MOST_WORK) <= MOST_WORK;
}

static void write_program(FILE* output, const uint8_t* program, uint32_t bytes) {
    static const uint8_t filling[4] = {0};
    fwrite(&bytes, sizeof bytes, 1, output);
    fwrite(program, 1, bytes, output);
    fwrite(filling, 1, (4u - bytes % 4u) % 4u, output);
}

static void read_seed(const char* name) {
    static aligned_program program;
    FILE* file = fopen(name, "rb");
    if (file == NULL) {
        perror(name);
        exit(1);
    }
    const uint32_t bytes = (uint32_t)fread(program.bytes, 1, sizeof program.bytes, file);
    if (fgetc(file) == EOF && pool_count < POOL_PROGRAMS && is_runnable(program.bytes, bytes)) {
        remember(program.bytes, bytes, pool_count++);
    }
    fclose(file);
}

int main(int argument_count, char** arguments) {
    if (argument_count < 5) {
        fputs("usage: program_generator SEED COUNT OUTPUT PROGRAM...\n", stderr);
        return 2;
    }
    random_numbers random = {strtoull(arguments[1], NULL, 10) * UINT64_C(0x9E3779B97F4A7C15) + 1};
    const uint32_t count = (uint32_t)strtoul(arguments[2], NULL, 10);
    FILE* output = fopen(arguments[3], "wb");
    for (int i = 4; i < argument_count; ++i) {
        read_seed(arguments[i]);
    }
    if (output == NULL || pool_count == 0) {
        fputs("no output, or no program to start from\n", stderr);
        return 1;
    }
    uint32_t written = 0;
    for (; written < pool_count && written < count; ++written) {
        write_program(output, pool[written].bytes, pool_bytes[written]);
    }
    const uint32_t seeds = pool_count;
    for (uint64_t attempt = 0; written < count && attempt < (uint64_t)count * ATTEMPTS_PER_PROGRAM; ++attempt) {
        static aligned_program program;
        /* Half of the time from a seed: mutations of mutations lose what makes a program worth running. */
        const uint32_t from = draw(&random, draw(&random, 2) ? seeds : pool_count);
        const uint32_t bytes = pool_bytes[from];
        memcpy(program.bytes, pool[from].bytes, bytes);
        change_records(&random, program.bytes, bytes);
        mend_header(&random, program.bytes, bytes);
        if (memcmp(program.bytes, pool[from].bytes, bytes) == 0 || !is_runnable(program.bytes, bytes)) {
            continue;
        }
        write_program(output, program.bytes, bytes);
        remember(program.bytes, bytes,
                 pool_count < POOL_PROGRAMS ? pool_count++ : seeds + draw(&random, pool_count - seeds));
        ++written;
    }
    if (fclose(output) != 0) {
        perror(arguments[3]);
        return 1;
    }
    printf("%u\n", (unsigned)written);
    return 0;
}
