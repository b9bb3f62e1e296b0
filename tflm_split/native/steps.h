/* What the loops over steps share: a step graph as arrays. */
#ifndef TFLM_SPLIT_NATIVE_STEPS_H_
#define TFLM_SPLIT_NATIVE_STEPS_H_

#include <stdint.h>

/* A step graph as arrays (schedule/step_arrays.py). Lists of k are first_...[k] .. first_...[k + 1] - 1. */
typedef struct step_graph {
    int64_t nodes;
    int64_t steps;
    int64_t pieces;
    const int64_t* first_depends; /* by step */
    const int64_t* depends;
    const int64_t* first_read;
    const int64_t* reads;
    const int64_t* first_write;
    const int64_t* writes;
    const int64_t* first_overlap;
    const int64_t* overlap_read;
    const int64_t* overlap_written;
    const int64_t* overlap_shared;
    const int64_t* node;       /* by step */
    const int64_t* first_step; /* by node */
    const int64_t* steps_of;
    const int64_t* first_needs; /* by node: the other nodes that its steps depend on */
    const int64_t* needs;
    const double* share;   /* by step: which share of its row op's rows there is once it has run */
    const uint8_t* needed; /* by step */
    const int64_t* bytes;  /* by piece */
    const uint8_t* initial;
    const uint8_t* final;
} step_graph;

#endif
