/* Files and the console of the machine that debugs or emulates the board (Arm's semihosting interface). */
#ifndef BOARD_SEMIHOSTING_H_
#define BOARD_SEMIHOSTING_H_

#include <stdint.h>

/* Modes of `semihosting_open`: the index of fopen's mode string in Arm's table. */
enum { SEMIHOSTING_READ = 1, SEMIHOSTING_WRITE = 5 };

/* A handle, or -1. */
int32_t semihosting_open(const char* name, uint32_t name_bytes, uint32_t mode);

/* How many of `bytes` bytes were NOT read or written. */
uint32_t semihosting_read(int32_t handle, void* to, uint32_t bytes);
uint32_t semihosting_write(int32_t handle, const void* from, uint32_t bytes);

/* Files are complete on the host only once closed. */
void semihosting_close(int32_t handle);

/* Prints `text`. */
void semihosting_print(const char* text);

/* Prints "name value\n". */
void semihosting_print_value(const char* name, uint64_t value);

/* Prints "error reason\n". Returns 0, what main() returns when it fails. */
int semihosting_fail(const char* reason);

/* Ends the emulation with exit code 0 (ok) or 1. */
void semihosting_exit(int ok) __attribute__((noreturn));

#endif /* BOARD_SEMIHOSTING_H_ */
