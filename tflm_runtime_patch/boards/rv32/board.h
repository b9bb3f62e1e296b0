/* QEMU's virt with a RISC-V core of 32 bits: 8 MB of RAM, of which the lower half plays the flash. */
#ifndef BOARD_H_
#define BOARD_H_

#include <stdint.h>

#define BOARD_FLASH_ADDRESS UINT32_C(0x80000000)
#define BOARD_FLASH_BYTES UINT32_C(0x400000)

#endif /* BOARD_H_ */
