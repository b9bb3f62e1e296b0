/* Stands in for the kernels a firmware's one program does not use, so that they are not linked. */
#include "semihosting.h"

void board_absent_kernel(void);

void board_absent_kernel(void) {
    semihosting_print("error the program uses a kernel that was not linked\n");
    semihosting_exit(0);
}
