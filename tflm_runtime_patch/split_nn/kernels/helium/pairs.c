/* Dot products of two large windows with many filters, three filters at a time, on MVE: five vectors are loaded for six products.
 * Stack: below 600 bytes. */
#include <stddef.h>

#include "../target.h"

#if defined(SPLIT_NN_MVE)

#include "pairs.h"

/* Filters whose sums wait on the stack until they are stored. */
#define WAITING 48

/* Six sums, named after window and filter, and where their next factors are. In the order of the registers below. */
typedef struct six {
    int32_t sum00;
    const int8_t* weights0;
    int32_t sum01;
    const int8_t* weights1;
    int32_t sum02;
    const int8_t* weights2;
    int32_t sum10;
    int32_t sum11;
    const int8_t* from0;
    int32_t sum12;
    const int8_t* from1;
    int32_t bytes;
} six;

/* Adds the products of `bytes` bytes. The loop ends in the middle of a vector if need be, but pointers go on by whole vectors. It is
 * in assembler, because compilers do not make such loops, and sums need registers of even number. */
SPLIT_ALWAYS_INLINE void add_products(six* of) {
    __asm__ volatile(
        "ldr lr, [%[of], #44]\n\t"
        "ldm %[of], {r0, r1, r2, r3, r4, r5, r6, r8, r9, r10, r12}\n\t"
        "dlstp.8 lr, lr\n"
        "1:\n\t"
        "vldrb.8 q0, [r9], #16\n\t"
        "vldrb.8 q2, [r1], #16\n\t"
        "vldrb.8 q1, [r12], #16\n\t"
        "vmladava.s8 r0, q0, q2\n\t"
        "vldrb.8 q3, [r3], #16\n\t"
        "vmladava.s8 r6, q1, q2\n\t"
        "vmladava.s8 r2, q0, q3\n\t"
        "vldrb.8 q2, [r5], #16\n\t"
        "vmladava.s8 r8, q1, q3\n\t"
        "vmladava.s8 r4, q0, q2\n\t"
        "vmladava.s8 r10, q1, q2\n\t"
        "letp lr, 1b\n\t"
        "stm %[of], {r0, r1, r2, r3, r4, r5, r6, r8, r9, r10, r12}"
        :
        : [of] "r"(of)
        : "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r12", "lr", "q0", "q1", "q2", "q3", "memory");
}

/* All products of both windows with three filters. */
SPLIT_MVE_CASE void three_filters(const split_mve_pair* of, const int32_t* bias, const int8_t* weights, int32_t* sums0,
                                  int32_t* sums1) {
    six sums = {bias[0], weights, bias[1], weights + of->filter, bias[2], weights + 2 * of->filter, bias[0], bias[1],
                NULL,    bias[2], NULL,    of->row_bytes};
    const int8_t* const* rows = of->rows;
    for (int32_t k = of->row_count; k > 0; --k) {
        sums.from0 = *rows++ + of->offset;
        sums.from1 = sums.from0 + of->advance;
        add_products(&sums);
        sums.weights0 -= of->excess;
        sums.weights1 -= of->excess;
        sums.weights2 -= of->excess;
    }
    sums0[0] = sums.sum00;
    sums0[1] = sums.sum01;
    sums0[2] = sums.sum02;
    sums1[0] = sums.sum10;
    sums1[1] = sums.sum11;
    sums1[2] = sums.sum12;
}

void split_mve_store_pair(const split_mve_pair* of, int8_t* pixel0, int8_t* pixel1) {
    int32_t sums0[WAITING], sums1[WAITING];
    for (int32_t done = 0; done < of->filters;) {
        const int32_t left = of->filters - done, count = left < WAITING ? left : WAITING;
        const int32_t begin = count < 3 ? done + count - 3 : done; /* few that are left are joined by others */
        const int32_t last = done + count - 3 - begin;
        for (int32_t f = 0;; f = f + 3 < last ? f + 3 : last) {
            three_filters(of, of->bias + begin + f, of->weights + (begin + f) * of->filter, sums0 + f, sums1 + f);
            if (f == last) {
                break;
            }
        }
        split_mve_store(of->scales, of->first + begin, sums0, done + count - begin, pixel0 + of->first + begin);
        split_mve_store(of->scales, of->first + begin, sums1, done + count - begin, pixel1 + of->first + begin);
        done += count;
    }
}

#endif /* SPLIT_NN_MVE */
