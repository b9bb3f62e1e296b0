/* mps3-an547: the core's SysTick at 32 MHz, 24 bits, counting down; the board's 100 Hz counter (secure alias). */
#ifndef BOARD_H_
#define BOARD_H_

#include "systick.h"

#define BOARD_TICK_PICOSECONDS 31250u
#define BOARD_SLOW_ADDRESS UINT32_C(0x59302014)
#define BOARD_TICKS_PER_SLOW_TICK 320000u

#endif /* BOARD_H_ */
