/* FlowNetwork.minimum_cut of schedule/min_cut.py, but faster: Dinic's algorithm.
 *
 * The maximum flow may differ from the one in Python. The cuts do not: the cheapest cuts with the smallest and with the
 * largest source side are the same for every maximum flow. Plain C99. All memory is the caller's, except one block for
 * scratch. */
#include "min_cut.h"

#include <stdlib.h>

/* Arc a leads to head[a]; arc a ^ 1 is its reverse. room[a] is its residual capacity. The arcs of node n are
 * list[first[n]] .. list[first[n + 1] - 1]. */
typedef struct residual {
    int64_t nodes;
    const int64_t* head;
    int64_t* room;
    int64_t* first;
    int64_t* list;
    int64_t* level;
    int64_t* turn;
    int64_t* todo; /* nodes in a queue, or the arcs of a path */
} residual;

static void list_arcs(residual* w, int64_t arcs) {
    for (int64_t n = 0; n <= w->nodes; ++n) {
        w->first[n] = 0;
    }
    for (int64_t a = 0; a < arcs; ++a) {
        ++w->first[w->head[a ^ 1] + 1];
    }
    for (int64_t n = 0; n < w->nodes; ++n) {
        w->first[n + 1] += w->first[n];
        w->turn[n] = w->first[n];
    }
    for (int64_t a = 0; a < arcs; ++a) {
        w->list[w->turn[w->head[a ^ 1]]++] = a;
    }
}

/* level[n] = number of arcs on the shortest path with room from `start` to n, or from n to `start` with `back`; -1 if there
 * is no such path. */
static void measure(residual* w, int64_t start, int64_t back) {
    for (int64_t n = 0; n < w->nodes; ++n) {
        w->level[n] = -1;
    }
    int64_t count = 1;
    w->level[start] = 0;
    w->todo[0] = start;
    for (int64_t k = 0; k < count; ++k) {
        const int64_t n = w->todo[k];
        for (int64_t i = w->first[n]; i < w->first[n + 1]; ++i) {
            const int64_t a = w->list[i];
            if (w->room[a ^ back] > 0 && w->level[w->head[a]] < 0) {
                w->level[w->head[a]] = w->level[n] + 1;
                w->todo[count++] = w->head[a];
            }
        }
    }
}

/* Saturates all shortest paths from source to sink. Returns the flow through them. */
static int64_t blocking_flow(residual* w, int64_t source, int64_t sink) {
    int64_t total = 0;
    int64_t length = 0;
    int64_t here = source;
    for (int64_t n = 0; n < w->nodes; ++n) {
        w->turn[n] = w->first[n];
    }
    for (;;) {
        if (here == sink) {
            int64_t pushed = INT64_MAX;
            int64_t back = 0;
            for (int64_t k = length; k-- > 0;) {
                if (w->room[w->todo[k]] <= pushed) {
                    pushed = w->room[w->todo[k]];
                    back = k;
                }
            }
            for (int64_t k = 0; k < length; ++k) {
                w->room[w->todo[k]] -= pushed;
                w->room[w->todo[k] ^ 1] += pushed;
            }
            total += pushed;
            here = w->head[w->todo[back] ^ 1];
            length = back;
            continue;
        }
        int64_t i = w->turn[here];
        while (i < w->first[here + 1] &&
               !(w->room[w->list[i]] > 0 && w->level[w->head[w->list[i]]] == w->level[here] + 1)) {
            ++i;
        }
        w->turn[here] = i;
        if (i < w->first[here + 1]) {
            w->todo[length++] = w->list[i];
            here = w->head[w->list[i]];
        } else if (here == source) {
            return total;
        } else {
            w->level[here] = -1;
            here = w->head[w->todo[--length] ^ 1];
        }
    }
}

static int64_t cheapest_cut(int64_t nodes, int64_t arcs, const int64_t* head, int64_t* room, int64_t source,
                            int64_t sink, uint8_t* smallest, uint8_t* largest, int64_t* block) {
    residual w = {nodes, head, room, block, NULL, NULL, NULL, NULL};
    w.list = w.first + nodes + 1;
    w.level = w.list + arcs;
    w.turn = w.level + nodes;
    w.todo = w.turn + nodes;
    list_arcs(&w, arcs);
    int64_t flow = 0;
    for (measure(&w, source, 0); w.level[sink] >= 0; measure(&w, source, 0)) {
        flow += blocking_flow(&w, source, sink);
    }
    for (int64_t n = 0; n < nodes; ++n) {
        smallest[n] = w.level[n] >= 0;
    }
    measure(&w, sink, 1);
    for (int64_t n = 0; n < nodes; ++n) {
        largest[n] = w.level[n] < 0;
    }
    return flow;
}

/* The capacity of a cheapest cut, or -1 if there is no memory. smallest[n] and largest[n] say whether node n is on the
 * source side of the cheapest cut whose source side is smallest, and largest. */
int64_t tflm_split_cheapest_cut(int64_t nodes, int64_t arcs, const int64_t* head, int64_t* room, int64_t source,
                                int64_t sink, uint8_t* smallest, uint8_t* largest) {
    int64_t* block = malloc((size_t)(4 * nodes + 2 + arcs) * sizeof *block);
    if (block == NULL) {
        return -1;
    }
    const int64_t flow = cheapest_cut(nodes, arcs, head, room, source, sink, smallest, largest, block);
    free(block);
    return flow;
}

int tflm_split_add_arc(flow_network* network, int64_t tail, int64_t head, int64_t capacity) {
    if (tail == head) {
        return 0;
    }
    if (network->arcs + 2 > network->arc_room) {
        const int64_t room = 2 * network->arc_room + 1024;
        int64_t** columns[2] = {&network->head, &network->capacity};
        for (int c = 0; c < 2; ++c) {
            int64_t* grown = realloc(*columns[c], (size_t)room * sizeof *grown);
            if (grown == NULL) {
                return -1;
            }
            *columns[c] = grown;
        }
        network->arc_room = room;
    }
    network->head[network->arcs] = head;
    network->capacity[network->arcs++] = capacity;
    network->head[network->arcs] = tail;
    network->capacity[network->arcs++] = 0;
    return 0;
}

int64_t tflm_split_cut(flow_network* network, int64_t source, int64_t sink) {
    const int64_t room = 4 * network->nodes + 2 + network->arcs;
    if (room > network->node_room) {
        const int64_t more = 2 * room;
        free(network->block);
        free(network->smallest);
        network->block = malloc((size_t)more * sizeof *network->block);
        network->smallest = malloc((size_t)(2 * more));
        network->node_room = network->block != NULL && network->smallest != NULL ? more : 0;
        network->largest = network->smallest + network->node_room;
    }
    if (network->node_room == 0) {
        return -1;
    }
    return cheapest_cut(network->nodes, network->arcs, network->head, network->capacity, source, sink,
                        network->smallest, network->largest, network->block);
}

void tflm_split_free_network(flow_network* network) {
    free(network->head);
    free(network->capacity);
    free(network->block);
    free(network->smallest);
}
