#include <stddef.h>
#include <string.h>

#include "variants.h"

/* Given by the linker: the first address behind the RAM. */
extern uint8_t board_ram_end[];
#define CONSTANTS_BYTES 98304

uint8_t memory_workspace[2][WORKSPACE_BYTES] __attribute__((aligned(16)));

static int32_t placed_bytes;
static int32_t constants_bytes;

void memory_reset(void) {
    for (int32_t i = 0; i < WORKSPACE_BYTES; i += 4) {
        const uint32_t noise = random_bits();
        memcpy(memory_workspace[PORTABLE] + i, &noise, sizeof(noise));
    }
    memcpy(memory_workspace[VARIANT], memory_workspace[PORTABLE], WORKSPACE_BYTES);
    placed_bytes = 16;
    constants_bytes = 0;
}

int32_t memory_place(int32_t bytes, int aligned) {
    int32_t offset = placed_bytes + random_between(0, 7);
    offset = aligned ? (offset + 3) & ~3 : offset;
    if (offset + bytes + 16 > WORKSPACE_BYTES) {
        return -1;
    }
    placed_bytes = offset + bytes;
    return offset;
}

void memory_write(int32_t offset, const void* from, int32_t bytes) {
    memcpy(memory_workspace[PORTABLE] + offset, from, (size_t)bytes);
    memcpy(memory_workspace[VARIANT] + offset, from, (size_t)bytes);
}

void memory_write_random(int32_t offset, int32_t bytes) {
    random_int8s((int8_t*)memory_workspace[PORTABLE] + offset, bytes);
    memcpy(memory_workspace[VARIANT] + offset, memory_workspace[PORTABLE] + offset, (size_t)bytes);
}

void* memory_constant(int32_t bytes, int32_t alignment) {
    const int32_t used = (constants_bytes + bytes + alignment - 1) / alignment * alignment;
    if (used > CONSTANTS_BYTES) {
        return NULL;
    }
    constants_bytes = used;
    return board_ram_end - used;
}

int memory_is_equal(void) {
    return memcmp(memory_workspace[PORTABLE], memory_workspace[VARIANT], WORKSPACE_BYTES) == 0;
}
