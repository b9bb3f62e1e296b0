#include "stack.h"

#define PAINT UINT32_C(0xC5C5C5C5)

extern volatile uint32_t board_stack_begin[], board_stack_end[];

/* Leaf functions without locals: what they do to the stack below their own frame is nothing. */
__attribute__((noinline)) void stack_paint(void) {
    const volatile uint32_t* here = (const volatile uint32_t*)__builtin_frame_address(0);
    for (volatile uint32_t* word = board_stack_begin; word < here - 4; ++word) {
        *word = PAINT;
    }
}

__attribute__((noinline)) uint32_t stack_peak_bytes(void) {
    const volatile uint32_t* word = board_stack_begin;
    while (word < board_stack_end && *word == PAINT) {
        ++word;
    }
    return (uint32_t)((uintptr_t)board_stack_end - (uintptr_t)word);
}
