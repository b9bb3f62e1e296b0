/* Counts the instructions of every program in the host's `programs.bin`: a word with its length in bytes, a word that
 * says which noise it runs on (0: bytes, 1: floats), then the program, and so on. Programs are read into RAM and run there, on a workspace of noise: how many instructions a
 * kernel takes does not depend on where anything lies. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "counter.h"
#include "semihosting.h"
#include "split_nn.h"

__attribute__((aligned(16))) static uint8_t program[MEASURE_PROGRAM_BYTES];
__attribute__((aligned(16))) static uint8_t workspace[MEASURE_WORKSPACE_BYTES];

static const char programs_name[] = "programs.bin";

/* The upper bytes of a linear congruential generator, or floats from -8 to 8 made of its values. */
static void fill_with_noise(uint32_t bytes, uint32_t floats) {
    uint32_t state = 1;
    for (uint32_t i = 0; i < bytes; ++i) {
        state = state * UINT32_C(1664525) + UINT32_C(1013904223);
        if (!floats) {
            workspace[i] = (uint8_t)(state >> 24);
        } else if (i % sizeof(float) == 0 && i + sizeof(float) <= bytes) {
            const float value = (float)(int32_t)state * (8.0f / 2147483648.0f);
            memcpy(workspace + i, &value, sizeof value);
        }
    }
}

int main(void) {
    counter instructions;
    counter_init(&instructions);
    const int32_t programs = semihosting_open(programs_name, sizeof(programs_name) - 1u, SEMIHOSTING_READ);
    if (programs == -1) {
        return semihosting_fail("programs.bin cannot be opened");
    }
    uint32_t words[2];
    while (semihosting_read(programs, words, sizeof words) == 0) {
        const uint32_t bytes = words[0];
        if (bytes > sizeof program || semihosting_read(programs, program, bytes) != 0) {
            return semihosting_fail("a program is longer than the room for it, or than the file");
        }
        const split_status status = split_nn_prepare(program, bytes);
        if (status != SPLIT_OK) {
            return semihosting_fail(split_nn_status_text(status));
        }
        if (split_nn_workspace_bytes(program) > sizeof workspace) {
            return semihosting_fail("the workspace is smaller than a program needs");
        }
        fill_with_noise(split_nn_workspace_bytes(program), words[1]);
        counter_begin(&instructions);
        (void)split_nn_run(program, workspace);
        counter_end(&instructions);
        semihosting_print_value("run_instructions", counter_instructions(&instructions));
    }
    semihosting_close(programs);
    semihosting_print("done\n");
    return 1;
}
