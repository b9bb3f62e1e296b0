/* A division of 64 bits by a small number. The compiler's takes 400 bytes of flash on cores that cannot divide. */
#ifndef BOARD_DIVIDE_H_
#define BOARD_DIVIDE_H_

#include <stdint.h>

/* Divides *value by `divisor`, 1 to 65535, and returns the rest: 16 bits at a time, as one does it by hand. */
static inline uint32_t board_divide(uint64_t* value, uint32_t divisor) {
    uint64_t quotient = 0;
    uint32_t rest = 0;
    for (int shift = 48; shift >= 0; shift -= 16) {
        const uint32_t part = rest << 16 | (uint32_t)(*value >> shift & 0xFFFFu);
        quotient = quotient << 16 | part / divisor;
        rest = part % divisor;
    }
    *value = quotient;
    return rest;
}

#endif /* BOARD_DIVIDE_H_ */
