/* Counts the instructions of every program in the host's `programs.bin`: a word with its length in bytes, a word that
 * says which noise it runs on, then the program, and so on. Programs are read into RAM and run there, on a workspace of noise:
 * how many instructions a kernel takes does not depend on where anything lies. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "counter.h"
#include "semihosting.h"
#include "split_nn.h"

__attribute__((aligned(16))) static uint8_t program[MEASURE_PROGRAM_BYTES];
__attribute__((aligned(16))) static uint8_t workspace[MEASURE_WORKSPACE_BYTES];

static const char programs_name[] = "programs.bin";

/* bytes; floats from -8 to 8; int16 from -4096 to 4095; floats from -8 to 8, of which those below 0 are 0 (behind a RELU) */
enum { BYTES, FLOATS, HALVES, RECTIFIED };

/* Numbers made of the upper bits of a linear congruential generator. */
static void fill_with_noise(uint32_t bytes, uint32_t noise) {
    const uint32_t size = noise == BYTES ? 1u : noise == HALVES ? sizeof(int16_t) : sizeof(float);
    uint32_t state = 1;
    for (uint32_t i = 0; i < bytes / size; ++i) {
        state = state * UINT32_C(1664525) + UINT32_C(1013904223);
        const uint8_t byte = (uint8_t)(state >> 24);
        const int16_t half = (int16_t)((int32_t)(state >> 19) - 4096);
        float value = (float)(int32_t)state * (8.0f / 2147483648.0f);
        value = noise == RECTIFIED && value < 0.0f ? 0.0f : value;
        const void* const from = noise == BYTES ? (const void*)&byte : noise == HALVES ? (const void*)&half : &value;
        memcpy(workspace + (size_t)i * size, from, size);
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
