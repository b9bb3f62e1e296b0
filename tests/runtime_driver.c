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
            const uint32_t slow_bytes = split_nn_slow_bytes(blob);
            const uint32_t second_bytes = split_nn_state_bytes(blob) + slow_bytes;
            uint8_t* second = second_bytes > 0 && second_bytes <= LARGEST_WORKSPACE_BYTES ? malloc(second_bytes) : NULL;
            if (second != NULL && slow_bytes > 0) {
                memset(second, 0x9C, slow_bytes);
                status = split_nn_run_with_slow_memory(blob, workspace, second);
            } else if (second != NULL) {
                split_nn_start(blob, second);
                status = split_nn_run_with_state(blob, workspace, second);
            }
            free(second);
            split_stream stream;
            split_nn_begin(blob, &stream);
            while (second_bytes == 0 && status == SPLIT_OK && stream.call < split_nn_calls(blob)) {
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
