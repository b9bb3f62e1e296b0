/* What makes a kernel's mistake a fault on an emulated board: RAM ends at RAM_END, and nothing is divided by zero.
 *
 * GUARD_BY_MPU: the emulator has memory there, so the MPU keeps everyone out. */
#ifndef BOARD_GUARD_H_
#define BOARD_GUARD_H_

#include <stdint.h>

#ifdef GUARD_BY_MPU
/* Armv7-M: nobody may touch the 4 KB from RAM_END on; all else is as without the MPU. */
static void guard_ram_end(void) {
    volatile uint32_t* const mpu = (volatile uint32_t*)UINT32_C(0xE000ED94);
    mpu[1] = 0;                            /* RNR */
    mpu[2] = RAM_END;                      /* RBAR */
    mpu[3] = (1u << 28) | (11u << 1) | 1u; /* RASR: never executed, no access, 2^12 bytes, enabled */
    mpu[0] = 5u;                           /* CTRL: enabled, default map for the rest */
    __asm__ volatile("dsb\n\tisb" ::: "memory");
}
#else
static void guard_ram_end(void) {}
#endif

/* Dividing by zero faults instead of giving zero. */
static void trap_divisions_by_zero(void) {
    *(volatile uint32_t*)UINT32_C(0xE000ED14) |= UINT32_C(1) << 4; /* CCR */
    __asm__ volatile("dsb\n\tisb" ::: "memory");
}

#endif /* BOARD_GUARD_H_ */
