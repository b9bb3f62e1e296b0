/* How many instructions ran between two points? Exact to about eight, the same from run to run.
 *
 * It relies on an emulator where one instruction takes one nanosecond (`-icount shift=0`). The board's timer ticks
 * every BOARD_TICK_PICOSECONDS; begin waits for a tick to start on, end counts its own instructions up to the next
 * one. A second, slow counter (if the board has one) tells how often the timer has wrapped. */
#ifndef BOARD_COUNTER_H_
#define BOARD_COUNTER_H_

#include <stdint.h>

typedef struct counter {
    uint32_t timer_at_begin;
    uint32_t slow_at_begin;
    uint32_t timer_at_end;
    uint32_t slow_at_end;
    uint32_t spins_at_end;
    uint32_t overhead; /* instructions of an empty measurement */
} counter;

/* Starts the timer and measures the overhead. */
void counter_init(counter* at);

void counter_begin(counter* at);
void counter_end(counter* at);

/* Between the last begin and end. The arithmetic is here and not in end, to keep it off the measured stack. */
uint64_t counter_instructions(const counter* at);

#endif /* BOARD_COUNTER_H_ */
