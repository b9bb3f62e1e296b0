/* Control and status registers. Newer assemblers count their instructions as an extension, Zicsr, and want it named;
 * older ones, and compilers that pick their libraries by the extensions, do not know it. So it is named here only. */
#ifndef BOARD_CSR_H_
#define BOARD_CSR_H_

#include <stdint.h>

#define CSR_INSTRUCTION(text) ".option push\n\t.option arch, +zicsr\n\t" text "\n\t.option pop"

#define csr_read(name)                                                                 \
    __extension__({                                                                    \
        uint32_t value_;                                                               \
        __asm__ volatile(CSR_INSTRUCTION("csrr %0, " #name) : "=r"(value_)::"memory"); \
        value_;                                                                        \
    })
#define csr_write(name, value) __asm__ volatile(CSR_INSTRUCTION("csrw " #name ", %0")::"r"(value) : "memory")
#define csr_set(name, bits) __asm__ volatile(CSR_INSTRUCTION("csrs " #name ", %0")::"r"(bits) : "memory")

#endif /* BOARD_CSR_H_ */
