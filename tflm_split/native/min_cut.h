/* Flow networks and their minimum cuts, for C. schedule/min_cut.py is the twin in Python. */
#ifndef TFLM_SPLIT_NATIVE_MIN_CUT_H_
#define TFLM_SPLIT_NATIVE_MIN_CUT_H_

#include <stdint.h>

/* Nodes and arcs. Arcs come in pairs: arc a, and arc a ^ 1 for the way back. All memory is its own. */
typedef struct flow_network {
    int64_t nodes;
    int64_t arcs;
    int64_t arc_room;
    int64_t* head; /* by arc */
    int64_t* capacity;
    int64_t node_room;
    uint8_t* smallest; /* by node: whether it is on the source side of the minimum cut with the smallest such side */
    uint8_t* largest;
    int64_t* block;
} flow_network;

/* Adds a one-way arc. An arc from a node to itself is left out. Returns not 0 if there is no memory. */
int tflm_split_add_arc(flow_network* network, int64_t tail, int64_t head, int64_t capacity);

/* Fills in `smallest` and `largest`, and returns the capacity of a minimum cut; -1 if there is no memory. */
int64_t tflm_split_cut(flow_network* network, int64_t source, int64_t sink);

void tflm_split_free_network(flow_network* network);

#endif
