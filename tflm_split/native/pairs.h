/* What the planner's loops share: bodies with lifetimes, and the pairs of them that must keep apart. */
#ifndef TFLM_SPLIT_NATIVE_PAIRS_H_
#define TFLM_SPLIT_NATIVE_PAIRS_H_

#include <stdint.h>

#define UNPLACED INT64_MIN

/* Bodies (plan/problem.py). The spans of body b are first_span[b] .. first_span[b + 1] - 1. The leeways of body b, as the
 * one that is written, are first_leeway[b] .. first_leeway[b + 1] - 1. */
typedef struct bodies {
    int64_t count;
    const int64_t* first_span;
    const int64_t* start; /* by span */
    const int64_t* stop;
    const int64_t* offset;
    const int64_t* bytes;
    const int64_t* size; /* by body */
    const int64_t* align;
    const int64_t* first_leeway;
    const int64_t* read; /* by leeway */
    const int64_t* distance;
} bodies;

/* A pair of bodies that live at the same time (plan/first_fit.py), as one of them sees it. */
typedef struct pair {
    int32_t body; /* the other one */
    int32_t low;
    int32_t high;
    int32_t twin; /* the index of the same pair in the other body's list */
} pair;

/* Bodies and their pairs. Those of body b are pair_first[b] .. pair_first[b + 1] - 1. */
typedef struct problem {
    int64_t bodies;
    const int64_t* body_bytes;
    const int64_t* align;
    const int64_t* pair_first;
    const pair* pairs;
} problem;

/* A list of pairs. All memory is its own. */
typedef struct pair_list {
    int64_t* first; /* by body, and one more */
    pair* pairs;
    int64_t count;
} pair_list;

/* Fills in `list`. Returns -1 if there is no memory; the list is empty then. Every body has less than 2^30 bytes. */
int64_t tflm_split_list_pairs(const bodies* all, pair_list* list);
int64_t tflm_split_free_pairs(pair_list* list);

int64_t tflm_split_squeeze_room(const problem* p, int64_t head_bytes);
int64_t tflm_split_squeeze(const problem* p, int64_t head_bytes, uint64_t* dice, int64_t* visits, int64_t* addresses,
                           int64_t* block, int64_t listed);

#endif
