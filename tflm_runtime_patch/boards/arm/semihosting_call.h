/* How a debugger or an emulator is called on a Cortex-M: it knows this sequence of instructions. */
#ifndef BOARD_SEMIHOSTING_CALL_H_
#define BOARD_SEMIHOSTING_CALL_H_

#include <stdint.h>

static inline int32_t semihosting_call(uint32_t operation, uintptr_t argument) {
    register uint32_t r0 __asm__("r0") = operation;
    register uintptr_t r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return (int32_t)r0;
}

#endif /* BOARD_SEMIHOSTING_CALL_H_ */
