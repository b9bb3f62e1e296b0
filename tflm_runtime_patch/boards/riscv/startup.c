/* From reset to main on RISC-V, in machine mode: the stack, the FPU, faults, .data and .bss. */
#include <stdint.h>

#include "board.h"
#include "csr.h"
#include "semihosting.h"
#include "start_main.h"

void board_reset(void) __attribute__((naked, noreturn, section(".vectors"), used));
void board_start(void) __attribute__((noreturn));
void board_fault(void) __attribute__((noreturn, aligned(4)));

/* The core starts at the first address of the flash, without a stack. */
void board_reset(void) {
    __asm__ volatile(
        "la sp, board_stack_end\n\t"
        "j board_start");
}

#ifdef __riscv_flen
/* Floating-point instructions are illegal until mstatus.FS says otherwise. */
static void enable_fpu(void) {
    csr_set(mstatus, UINT32_C(1) << 13);
}
#else
static void enable_fpu(void) {}
#endif

/* Memory below the RAM plays the flash. Who writes there faults, which is how an overflow of the stack ends: the first
 * entry of the memory protection, locked, lets even machine mode only read and execute there. */
static void protect_flash(void) {
    const uint32_t region = (BOARD_FLASH_ADDRESS >> 2) | ((BOARD_FLASH_BYTES >> 3) - 1u); /* a power of two, aligned */
    const uint32_t locked_napot_execute_read = UINT32_C(0x9D);
    csr_write(pmpaddr0, region);
    csr_write(pmpcfg0, locked_napot_execute_read);
}

void board_start(void) {
    csr_write(mtvec, (uintptr_t)board_fault);
    enable_fpu();
    protect_flash();
    start_main();
}

/* The stack may be what is at fault, so this starts a new one. */
void board_fault(void) {
    __asm__ volatile("la sp, board_stack_end" ::: "memory");
    semihosting_print("fault\n");
    semihosting_exit(0);
}
