/* From reset to main on a Cortex-M: the vector table, the FPU, .data and .bss. */
#include <stdint.h>

#include "semihosting.h"
#include "start_main.h"

extern uint32_t board_stack_end[];

void board_reset(void) __attribute__((noreturn));
void board_fault(void) __attribute__((noreturn));

typedef void (*vector)(void);

/* The first word is the stack pointer at reset, not a handler; no interrupt is ever enabled. */
typedef struct vector_table {
    uint32_t* stack;
    vector handlers[15];
} vector_table;

__attribute__((section(".vectors"), used)) static const vector_table vectors = {
    board_stack_end,
    {board_reset, board_fault, board_fault, board_fault, board_fault, board_fault, board_fault, board_fault,
     board_fault, board_fault, board_fault, board_fault, board_fault, board_fault, board_fault},
};

#if defined(__ARM_FP) || defined(__ARM_FEATURE_MVE)
/* Coprocessors 10 and 11 are the FPU and the vector unit; without this their first instruction faults. */
static void enable_fpu(void) {
    volatile uint32_t* const cpacr = (volatile uint32_t*)UINT32_C(0xE000ED88);
    *cpacr |= UINT32_C(0xF) << 20;
    __asm__ volatile("dsb\n\tisb" ::: "memory");
}
#else
static void enable_fpu(void) {}
#endif

void board_reset(void) {
    enable_fpu();
    start_main();
}

void board_fault(void) {
    semihosting_print("fault\n");
    semihosting_exit(0);
}
