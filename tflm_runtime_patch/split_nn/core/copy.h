/* memmove() for rows. It copies four words at a time if both places are word-aligned. The memmove() of C libraries for
 * small machines often copies byte by byte. */
#ifndef SPLIT_NN_COPY_H_
#define SPLIT_NN_COPY_H_

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A word of a row. It may alias elements of any type. */
#if defined(__GNUC__)
typedef uint32_t __attribute__((__may_alias__)) split_word;
#else
typedef uint32_t split_word;
#endif

static inline void split_copy_words(split_word* to, const split_word* from) {
    const uint32_t a = from[0];
    const uint32_t b = from[1];
    const uint32_t c = from[2];
    const uint32_t d = from[3];
    to[0] = a;
    to[1] = b;
    to[2] = c;
    to[3] = d;
}

/* Copies `bytes` bytes. `from` and `to` may overlap; they are a multiple of 4 bytes apart. */
static inline void split_copy_row(uint8_t* to, const uint8_t* from, uint32_t bytes) {
    const uint32_t blocks = (uintptr_t)to % sizeof(uint32_t) == 0 ? bytes / 16u : 0u;
    split_word* word_to = (split_word*)(void*)to;
    const split_word* word_from = (const split_word*)(const void*)from;
    if (to < from) {
        for (uint32_t i = 0; i < blocks; ++i) {
            split_copy_words(word_to + 4u * i, word_from + 4u * i);
        }
    }
    memmove(to + 16u * blocks, from + 16u * blocks, bytes - 16u * blocks);
    if (to > from) {
        for (uint32_t i = blocks; i > 0; --i) {
            split_copy_words(word_to + 4u * (i - 1u), word_from + 4u * (i - 1u));
        }
    }
}

#endif /* SPLIT_NN_COPY_H_ */
