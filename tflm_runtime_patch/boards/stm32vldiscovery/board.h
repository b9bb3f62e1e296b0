/* STM32VLDISCOVERY (STM32F100RB): SysTick at 24 MHz, which ticks every 41 2/3 ns. */
#ifndef BOARD_H_
#define BOARD_H_

#include "systick.h"

#define BOARD_TICK_PICOSECONDS 125000u
#define BOARD_TICK_DIVISOR 3u

#endif /* BOARD_H_ */
