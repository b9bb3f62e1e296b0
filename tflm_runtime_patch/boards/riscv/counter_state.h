/* What a counter of instructions remembers. */
#ifndef BOARD_COUNTER_STATE_H_
#define BOARD_COUNTER_STATE_H_

#include <stdint.h>

typedef struct counter {
    uint64_t at_begin;
    uint64_t at_end;
    uint32_t overhead; /* instructions of an empty measurement */
} counter;

#endif /* BOARD_COUNTER_STATE_H_ */
