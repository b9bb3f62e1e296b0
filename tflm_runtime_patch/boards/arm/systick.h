/* The core's SysTick as the board's timer: processor clock, full range, no interrupt. */
#ifndef BOARD_SYSTICK_H_
#define BOARD_SYSTICK_H_

#include <stdint.h>

#define BOARD_TIMER_ADDRESS UINT32_C(0xE000E018) /* SYST_CVR */
#define BOARD_TIMER_BITS 24
#define BOARD_TIMER_COUNTS_DOWN 1

static inline void board_start_timer(void) {
    volatile uint32_t* const systick = (volatile uint32_t*)UINT32_C(0xE000E010);
    systick[1] = UINT32_C(0xFFFFFF); /* SYST_RVR */
    systick[2] = 0;                  /* SYST_CVR: any write clears it */
    systick[0] = 5u;                 /* SYST_CSR: enable, processor clock */
}

#endif /* BOARD_SYSTICK_H_ */
