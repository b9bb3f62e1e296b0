/* How many instructions ran between two points? Exact to about eight, the same from run to run.
 *
 * It relies on an emulator where one instruction takes one nanosecond (`-icount shift=0`). What counts them is in the
 * folder of the core's family (`arm`, `riscv`), and what a counter remembers in its `counter_state.h`. */
#ifndef BOARD_COUNTER_H_
#define BOARD_COUNTER_H_

#include <stdint.h>

#include "counter_state.h"

/* Starts the timer and measures the overhead. */
void counter_init(counter* at);

void counter_begin(counter* at);
void counter_end(counter* at);

/* Between the last begin and end. The arithmetic is here and not in end, to keep it off the measured stack. */
uint64_t counter_instructions(const counter* at);

#endif /* BOARD_COUNTER_H_ */
