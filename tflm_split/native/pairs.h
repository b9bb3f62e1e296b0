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

/* Pairs of bodies that live at the same time (plan/first_fit.py). */
typedef struct problem {
    int64_t bodies;
    const int64_t* body_bytes;
    const int64_t* align;
    const int64_t* pair_first;
    const int64_t* pair_body;
    const int64_t* pair_low;
    const int64_t* pair_high;
    const int64_t* pair_twin;
} problem;

/* A list of pairs that grows. All memory is its own. */
typedef struct pair_list {
    int64_t* first; /* by body, and one more */
    int64_t* body;
    int64_t* low;
    int64_t* high;
    int64_t* twin;
    int64_t count;
    int64_t room;
} pair_list;

/* Fills in `list`. Returns -1 if there is no memory; the list is empty then. */
int64_t tflm_split_list_pairs(const bodies* all, pair_list* list);
int64_t tflm_split_free_pairs(pair_list* list);

int64_t tflm_split_squeeze_room(const problem* p, int64_t head_bytes);
int64_t tflm_split_squeeze(const problem* p, int64_t head_bytes, uint64_t* dice, int64_t* visits, int64_t* addresses,
                           int64_t* block, int64_t listed);

#endif
