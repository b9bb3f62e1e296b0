/* How deep did the stack go? Paint what is unused, run, look for the deepest word that changed. */
#ifndef BOARD_STACK_H_
#define BOARD_STACK_H_

#include <stdint.h>

/* Fills the stack below the caller's frame. */
void stack_paint(void);

/* Bytes from the stack's start (its highest address) to the deepest word written since stack_paint(). */
uint32_t stack_peak_bytes(void);

#endif /* BOARD_STACK_H_ */
