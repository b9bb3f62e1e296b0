/* The board's timer ticks every BOARD_TICK_PICOSECONDS / BOARD_TICK_DIVISOR. Begin waits for a tick to start on, end counts its own
 * instructions up to the next one. A second, slow counter (if the board has one) tells how often the timer wrapped. */
#include "counter.h"

#include "board.h"
#include "divide.h"

#define TIMER ((volatile uint32_t*)BOARD_TIMER_ADDRESS)
#define TIMER_MASK ((uint32_t)((UINT64_C(1) << BOARD_TIMER_BITS) - 1u))
#define PICOSECONDS_PER_INSTRUCTION 1000u
#ifndef BOARD_TICK_DIVISOR
#define BOARD_TICK_DIVISOR 1u
#endif
#define INSTRUCTIONS_PER_SPIN 4u

/* Waits for the timer's next tick. How many spins it took goes to *spins, the timer's value then is returned. */
static inline uint32_t next_tick(uint32_t* spins) {
    uint32_t count = 0;
    uint32_t value;
    const uint32_t before = *TIMER;
    __asm__ volatile(
        ".syntax unified\n\t"
        "1: ldr %[value], [%[timer]]\n\t"
        "adds %[count], #1\n\t"
        "cmp %[value], %[before]\n\t"
        "beq 1b"
        : [value] "=&l"(value), [count] "+l"(count)
        : [timer] "l"(TIMER), [before] "l"(before)
        : "cc", "memory");
    *spins = count;
    return value;
}

static uint32_t slow_count(void) {
#ifdef BOARD_SLOW_ADDRESS
    return *(volatile uint32_t*)BOARD_SLOW_ADDRESS;
#else
    return 0;
#endif
}

/* The timer's ticks from begin to end, wraps included as far as the slow counter can tell them. */
static uint64_t ticks(const counter* at) {
    const uint32_t forward = at->timer_at_end - at->timer_at_begin;
    const uint64_t fine = (BOARD_TIMER_COUNTS_DOWN ? 0u - forward : forward) & TIMER_MASK;
#ifdef BOARD_SLOW_ADDRESS
    const uint64_t range = (uint64_t)TIMER_MASK + 1u;
    const uint64_t coarse = (uint64_t)(at->slow_at_end - at->slow_at_begin) * BOARD_TICKS_PER_SLOW_TICK;
    return coarse < fine ? fine : fine + (coarse - fine + range / 2u) / range * range;
#else
    return fine;
#endif
}

void counter_init(counter* at) {
    board_start_timer();
    at->overhead = 0;
    counter_begin(at);
    counter_end(at);
    at->overhead = (uint32_t)counter_instructions(at);
}

__attribute__((noinline)) void counter_begin(counter* at) {
    uint32_t spins;
    at->slow_at_begin = slow_count();
    at->timer_at_begin = next_tick(&spins);
}

__attribute__((noinline)) void counter_end(counter* at) {
    at->timer_at_end = next_tick(&at->spins_at_end);
    at->slow_at_end = slow_count();
}

uint64_t counter_instructions(const counter* at) {
    uint64_t elapsed = ticks(at) * BOARD_TICK_PICOSECONDS;
    board_divide(&elapsed, PICOSECONDS_PER_INSTRUCTION * BOARD_TICK_DIVISOR);
    const uint64_t own = (uint64_t)at->spins_at_end * INSTRUCTIONS_PER_SPIN + at->overhead;
    return elapsed > own ? elapsed - own : 0;
}
