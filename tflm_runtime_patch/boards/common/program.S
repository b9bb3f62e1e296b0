/* The program, as it is, in flash. */
    .section .program, "a", %progbits
    .balign 16
    .global board_program
    .type board_program, %object
board_program:
    .incbin BOARD_PROGRAM_FILE
    .size board_program, . - board_program
    .global board_program_end
board_program_end:
    .balign 4
