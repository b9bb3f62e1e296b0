/* How a debugger or an emulator is called on RISC-V: it knows this sequence of instructions. */
#ifndef BOARD_SEMIHOSTING_CALL_H_
#define BOARD_SEMIHOSTING_CALL_H_

#include <stdint.h>

static inline int32_t semihosting_call(uint32_t operation, uintptr_t argument) {
    register uint32_t a0 __asm__("a0") = operation;
    register uintptr_t a1 __asm__("a1") = argument;
    /* Three uncompressed instructions in one page: 16 bytes, aligned. */
    __asm__ volatile(
        ".option push\n\t"
        ".option norvc\n\t"
        ".balign 16\n\t"
        "slli x0, x0, 0x1f\n\t"
        "ebreak\n\t"
        "srai x0, x0, 7\n\t"
        ".option pop"
        : "+r"(a0)
        : "r"(a1)
        : "memory");
    return (int32_t)a0;
}

#endif /* BOARD_SEMIHOSTING_CALL_H_ */
