/* Changes of a program that know where its records are: what the fuzzers of the executor share. */
#ifndef MUTATIONS_H_
#define MUTATIONS_H_

#include <stddef.h>
#include <stdint.h>

typedef struct random_numbers {
    uint64_t state;
} random_numbers;

/* At least 0, below `below`; 0 when that is 0. */
uint32_t draw(random_numbers* from, uint32_t below);

/* One to four changes, in place: fields get other values, records change places. `bytes` holds a header at least. */
void change_records(random_numbers* random, uint8_t* program, size_t bytes);

/* Sets the header's magic number, version and length right again, most of the time. */
void mend_header(random_numbers* random, uint8_t* program, size_t bytes);

/* How many elementary operations could running a prepared program take? Once above `most` it is not counted further. */
uint64_t work_of(const uint8_t* program, uint64_t most);

#endif /* MUTATIONS_H_ */
