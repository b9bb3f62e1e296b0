/* Files of programs: for each a word with its length in bytes, then the program, filled up to a multiple of 4. */
#ifndef PROGRAMS_FILE_H_
#define PROGRAMS_FILE_H_

/* Multiples of 4. */
#define LARGEST_PROGRAM_BYTES 8192u
#define LARGEST_WORKSPACE_BYTES 65536u

#endif /* PROGRAMS_FILE_H_ */
