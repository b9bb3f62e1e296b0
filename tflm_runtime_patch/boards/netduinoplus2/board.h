/* netduinoplus2 (STM32F405): timer TIM2, 32 bits, which the emulator clocks at 1 GHz: one tick per instruction. */
#ifndef BOARD_H_
#define BOARD_H_

#include <stdint.h>

#define BOARD_TIMER_ADDRESS UINT32_C(0x40000024) /* TIM2 CNT */
#define BOARD_TIMER_BITS 32
#define BOARD_TIMER_COUNTS_DOWN 0
#define BOARD_TICK_PICOSECONDS 1000u

static inline void board_start_timer(void) {
    volatile uint32_t* const tim2 = (volatile uint32_t*)UINT32_C(0x40000000);
    tim2[10] = 0;                    /* PSC: every clock counts */
    tim2[11] = UINT32_C(0xFFFFFFFF); /* ARR: all 32 bits */
    tim2[0] |= 1u;                   /* CR1.CEN */
}

#endif /* BOARD_H_ */
