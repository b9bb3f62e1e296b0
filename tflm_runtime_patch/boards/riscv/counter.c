/* The core counts the instructions that it retires in `minstret`. With `-icount` the emulator's does so exactly. */
#include "counter.h"

#include "csr.h"

static inline uint64_t retired(void) {
    uint32_t high;
    uint32_t low;
    do {
        high = csr_read(minstreth);
        low = csr_read(minstret);
    } while (high != csr_read(minstreth));
    return (uint64_t)high << 32 | low;
}

void counter_init(counter* at) {
    at->overhead = 0;
    counter_begin(at);
    counter_end(at);
    at->overhead = (uint32_t)counter_instructions(at);
}

__attribute__((noinline)) void counter_begin(counter* at) {
    at->at_begin = retired();
}

__attribute__((noinline)) void counter_end(counter* at) {
    at->at_end = retired();
}

uint64_t counter_instructions(const counter* at) {
    const uint64_t elapsed = at->at_end - at->at_begin;
    return elapsed > at->overhead ? elapsed - at->overhead : 0;
}
