#include "semihosting.h"

#include "divide.h"

#include "semihosting_call.h"

/* Operations, by Arm's numbers. */
enum { OPEN = 0x01, CLOSE = 0x02, WRITE0 = 0x04, WRITE = 0x05, READ = 0x06, EXIT = 0x18 };

#define EXIT_OK 0x20026u    /* ADP_Stopped_ApplicationExit */
#define EXIT_ERROR 0x20023u /* ADP_Stopped_RunTimeErrorUnknown */

int32_t semihosting_open(const char* name, uint32_t name_bytes, uint32_t mode) {
    const uintptr_t block[3] = {(uintptr_t)name, mode, name_bytes};
    return semihosting_call(OPEN, (uintptr_t)block);
}

uint32_t semihosting_read(int32_t handle, void* to, uint32_t bytes) {
    const uintptr_t block[3] = {(uintptr_t)handle, (uintptr_t)to, bytes};
    return (uint32_t)semihosting_call(READ, (uintptr_t)block);
}

uint32_t semihosting_write(int32_t handle, const void* from, uint32_t bytes) {
    const uintptr_t block[3] = {(uintptr_t)handle, (uintptr_t)from, bytes};
    return (uint32_t)semihosting_call(WRITE, (uintptr_t)block);
}

void semihosting_close(int32_t handle) {
    const uintptr_t block[1] = {(uintptr_t)handle};
    semihosting_call(CLOSE, (uintptr_t)block);
}

void semihosting_print(const char* text) {
    semihosting_call(WRITE0, (uintptr_t)text);
}

void semihosting_print_value(const char* name, uint64_t value) {
    char text[24];
    char* first = text + sizeof(text);
    *--first = '\0';
    *--first = '\n';
    do {
        *--first = (char)('0' + (int)board_divide(&value, 10u));
    } while (value != 0);
    *--first = ' ';
    semihosting_print(name);
    semihosting_print(first);
}

int semihosting_fail(const char* reason) {
    semihosting_print("error ");
    semihosting_print(reason);
    semihosting_print("\n");
    return 0;
}

void semihosting_exit(int ok) {
    for (;;) {
        semihosting_call(EXIT, ok ? EXIT_OK : EXIT_ERROR);
    }
}
