/* Prepares, and where that succeeds runs, every blob of a file: [u32 length][bytes]... Prints one status per
 * line. Built with sanitizers; each blob and each workspace is an allocation of its exact size, so that one
 * byte read or written outside ends the process. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "split_nn.h"

#define LARGEST_WORKSPACE_BYTES (1u << 20)

int main(int count, char** arguments) {
    FILE* file = count == 2 ? fopen(arguments[1], "rb") : NULL;
    uint32_t length;
    if (file == NULL) {
        return 2;
    }
    while (fread(&length, sizeof length, 1, file) == 1) {
        uint8_t* blob = malloc(length > 0 ? length : 1);
        if (blob == NULL || fread(blob, 1, length, file) != length) {
            return 2;
        }
        split_status status = split_nn_prepare(blob, length);
        if (status == SPLIT_OK && split_nn_workspace_bytes(blob) <= LARGEST_WORKSPACE_BYTES) {
            const uint32_t bytes = split_nn_workspace_bytes(blob);
            uint8_t* workspace = malloc(bytes > 0 ? bytes : 1);
            memset(workspace, 0x9C, bytes);
            const uint32_t state_bytes = split_nn_state_bytes(blob);
            uint8_t* state = state_bytes > 0 && state_bytes <= LARGEST_WORKSPACE_BYTES ? malloc(state_bytes) : NULL;
            if (state != NULL) {
                split_nn_start(blob, state);
                status = split_nn_run_with_state(blob, workspace, state);
            }
            free(state);
            split_stream stream;
            split_nn_begin(blob, &stream);
            while (state_bytes == 0 && status == SPLIT_OK && stream.call < split_nn_calls(blob)) {
                status = split_nn_continue(blob, workspace, &stream);
            }
            free(workspace);
        }
        printf("%d\n", (int)status);
        free(blob);
    }
    fclose(file);
    return 0;
}
