/* BBC micro:bit (nRF51822): SysTick at 16 MHz. The part itself has none; the emulator's core does. */
#ifndef BOARD_H_
#define BOARD_H_

#include "systick.h"

#define BOARD_TICK_PICOSECONDS 62500u

#endif /* BOARD_H_ */
