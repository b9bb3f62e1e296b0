/* What a counter of instructions remembers. */
#ifndef BOARD_COUNTER_STATE_H_
#define BOARD_COUNTER_STATE_H_

#include <stdint.h>

typedef struct counter {
    uint32_t timer_at_begin;
    uint32_t slow_at_begin;
    uint32_t timer_at_end;
    uint32_t slow_at_end;
    uint32_t spins_at_end;
    uint32_t overhead; /* instructions of an empty measurement */
} counter;

#endif /* BOARD_COUNTER_STATE_H_ */
