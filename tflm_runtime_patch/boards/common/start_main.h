/* The part of a start from reset that is the same on every core. */
#ifndef BOARD_START_MAIN_H_
#define BOARD_START_MAIN_H_

#include <stdint.h>

#include "semihosting.h"

extern uint32_t board_data_begin[], board_data_end[];
extern const uint32_t board_data_image[];
extern uint32_t board_bss_begin[], board_bss_end[];

int main(void);

/* Fills .data and .bss, runs main and ends the emulation with its answer. Needs a stack. */
static inline void __attribute__((noreturn)) start_main(void) {
    const uint32_t* image = board_data_image;
    for (uint32_t* word = board_data_begin; word < board_data_end; ++word) {
        *word = *image++;
    }
    for (uint32_t* word = board_bss_begin; word < board_bss_end; ++word) {
        *word = 0;
    }
    semihosting_exit(main());
}

#endif /* BOARD_START_MAIN_H_ */
