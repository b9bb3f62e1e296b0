#include "variants.h"

static uint32_t state = 1;

void random_seed(uint32_t seed) {
    state = seed * 2654435761u + 1u;
    state = state == 0 ? 1 : state;
    for (int i = 0; i < 4; ++i) {
        random_bits();
    }
}

uint32_t random_bits(void) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

int32_t random_between(int32_t low, int32_t high) {
    return low + (int32_t)(random_bits() % (uint32_t)(high - low + 1));
}

int random_one_in(int32_t n) {
    return random_between(1, n) == 1;
}

int32_t random_of(const int32_t* choices, int32_t count) {
    return choices[random_between(0, count - 1)];
}

void random_int8s(int8_t* to, int32_t count) {
    const int32_t style = random_between(0, 5);
    const int8_t value = (int8_t)RANDOM_OF(-128, -127, 127, 0, 1);
    for (int32_t i = 0; i < count; ++i) {
        const uint32_t bits = random_bits();
        if (style == 0) {
            to[i] = value;
        } else if (style == 1) {
            to[i] = (bits & 256u) != 0 ? INT8_MIN : INT8_MAX;
        } else {
            to[i] = (int8_t)(bits & 255u);
        }
    }
}

int32_t random_int32(void) {
    const int32_t power = (int32_t)(UINT32_C(1) << (random_bits() % 32u));
    switch (random_between(0, 3)) {
        case 0:
            return RANDOM_OF(INT32_MIN, INT32_MIN + 1, INT32_MAX, INT32_MAX - 1, 0, 1, -1);
        case 1:
            return (int32_t)((uint32_t)power + random_bits() % 3u - 1u);
        case 2:
            return (int32_t)(0u - (uint32_t)power + random_bits() % 3u - 1u);
        default:
            return (int32_t)random_bits() >> random_between(0, 24);
    }
}

int32_t random_multiplier(void) {
    return random_one_in(8) ? random_int32() : (int32_t)(UINT32_C(0x40000000) + (random_bits() >> 2));
}

int32_t random_shift(void) {
    return random_one_in(8) ? random_between(-31, 30) : random_between(-16, -1);
}

void random_range(int32_t* low, int32_t* high) {
    *low = random_one_in(3) ? random_between(-128, 127) : -128;
    *high = random_one_in(3) ? random_between(*low, 127) : 127;
}
