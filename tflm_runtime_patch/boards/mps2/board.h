/* mps2-an385, -an386, -an500: the core's SysTick at 25 MHz, 24 bits, counting down; the board's 100 Hz counter. */
#ifndef BOARD_H_
#define BOARD_H_

#include "systick.h"

#define BOARD_TICK_PICOSECONDS 40000u
#define BOARD_SLOW_ADDRESS UINT32_C(0x40028014)
#define BOARD_TICKS_PER_SLOW_TICK 250000u

#endif /* BOARD_H_ */
