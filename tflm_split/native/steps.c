/* The loops of schedule/streaming.py, cuts.py and lives.py, but faster. They give the same orders, cuts and bytes; tests
 * compare both on random networks. Plain C99. All memory is the caller's, except blocks for scratch that a call gives back. */
#include <stdint.h>
#include <stdlib.h>

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

/* ---- Streaming order ---- */

typedef struct goal {
    double share;
    int64_t position;
    int64_t step;
} goal;

static int compare_goals(const void* a, const void* b) {
    const goal* x = a;
    const goal* y = b;
    if (x->share != y->share) {
        return x->share < y->share ? -1 : 1;
    }
    if (x->position != y->position) {
        return x->position < y->position ? -1 : 1;
    }
    return x->step < y->step ? -1 : x->step > y->step;
}

/* Scratch for streaming orders: `done` and `turn` by step, `asked_for` by node, `goals` and `stack` of as many as steps. */
typedef struct streaming {
    uint8_t* done;
    uint8_t* asked_for;
    int64_t* turn;
    int64_t* stack;
    goal* goals;
} streaming;

static int begin_streaming(const step_graph* g, streaming* w) {
    w->done = malloc((size_t)(g->steps + g->nodes + 1));
    w->turn = malloc((size_t)(2 * g->steps + 1) * sizeof *w->turn);
    w->goals = malloc((size_t)(g->steps + 1) * sizeof *w->goals);
    if (w->done == NULL || w->turn == NULL || w->goals == NULL) {
        return -1;
    }
    w->asked_for = w->done + g->steps;
    w->stack = w->turn + g->steps;
    return 0;
}

static void end_streaming(streaming* w) {
    free(w->done);
    free(w->turn);
    free(w->goals);
}

/* Appends all steps that `last` still waits for, depth-first, then `last`. Returns the new length of the order. */
static int64_t run(const step_graph* g, streaming* w, int64_t last, int64_t* order, int64_t length) {
    int64_t depth = 0;
    if (w->done[last]) {
        return length;
    }
    w->stack[depth++] = last;
    w->turn[last] = g->first_depends[last];
    while (depth > 0) {
        const int64_t s = w->stack[depth - 1];
        while (w->turn[s] < g->first_depends[s + 1] && w->done[g->depends[w->turn[s]]]) {
            ++w->turn[s];
        }
        if (w->turn[s] < g->first_depends[s + 1]) {
            const int64_t d = g->depends[w->turn[s]++];
            w->stack[depth++] = d;
            w->turn[d] = g->first_depends[d];
        } else {
            --depth;
            if (!w->done[s]) {
                w->done[s] = 1;
                order[length++] = s;
            }
        }
    }
    return length;
}

static int64_t stream(const step_graph* g, streaming* w, const int64_t* nodes, int64_t count, int64_t* order) {
    for (int64_t s = 0; s < g->steps; ++s) {
        w->done[s] = 1;
    }
    for (int64_t n = 0; n < g->nodes; ++n) {
        w->asked_for[n] = 0;
    }
    for (int64_t k = 0; k < count; ++k) {
        const int64_t n = nodes[k];
        for (int64_t i = g->first_needs[n]; i < g->first_needs[n + 1]; ++i) {
            w->asked_for[g->needs[i]] = 1;
        }
        for (int64_t i = g->first_step[n]; i < g->first_step[n + 1]; ++i) {
            w->done[g->steps_of[i]] = 0;
        }
    }
    int64_t goals = 0;
    int64_t sinks = 0;
    for (int64_t k = 0; k < count; ++k) {
        const int64_t n = nodes[k];
        for (int64_t i = g->first_step[n]; !w->asked_for[n] && i < g->first_step[n + 1]; ++i) {
            if (g->needed[g->steps_of[i]]) {
                const goal wanted = {g->share[g->steps_of[i]], sinks, g->steps_of[i]};
                w->goals[goals++] = wanted;
            }
        }
        sinks += !w->asked_for[n];
    }
    qsort(w->goals, (size_t)goals, sizeof *w->goals, compare_goals);
    int64_t length = 0;
    for (int64_t k = 0; k < goals; ++k) {
        length = run(g, w, w->goals[k].step, order, length);
    }
    for (int64_t k = 0; k < count; ++k) {
        for (int64_t i = g->first_step[nodes[k]]; i < g->first_step[nodes[k] + 1]; ++i) {
            if (g->needed[g->steps_of[i]]) {
                length = run(g, w, g->steps_of[i], order, length);
            }
        }
    }
    return length;
}

/* All needed steps of `count` nodes, depth-first, into `order`, which has room for all steps. Returns their number, or -1 if
 * there is no memory. */
int64_t tflm_split_stream(const step_graph* g, const int64_t* nodes, int64_t count, int64_t* order) {
    streaming w = {.done = NULL};
    const int64_t length = begin_streaming(g, &w) == 0 ? stream(g, &w, nodes, count, order) : -1;
    end_streaming(&w);
    return length;
}

/* ---- Best cuts ---- */

/* Of one operator order. `first` and `last` are ranks in it, as in cuts.py. */
typedef struct cuts {
    const step_graph* g;
    const int64_t* rank;  /* by node */
    const int64_t* first; /* by piece */
    const int64_t* last;
    int64_t* order;
    int64_t length;
    int64_t* start; /* by piece: position of the first write, -1 if there is none */
    int64_t* begin; /* by piece: position of the first access */
    int64_t* stop;  /* by piece: position of the last access */
    int64_t* change;
} cuts;

static void clear(cuts* c) {
    for (int64_t p = 0; p < c->g->pieces; ++p) {
        c->start[p] = c->begin[p] = c->stop[p] = -1;
    }
    for (int64_t k = 0; k < c->length + 2; ++k) {
        c->change[k] = 0;
    }
}

/* The accesses of the order's steps of rank i and more. */
static void find_lives(cuts* c, int64_t i) {
    const step_graph* g = c->g;
    clear(c);
    for (int64_t k = 0; k < c->length; ++k) {
        const int64_t s = c->order[k];
        if (c->rank[g->node[s]] < i) {
            continue;
        }
        for (int64_t x = g->first_read[s]; x < g->first_read[s + 1]; ++x) {
            const int64_t p = g->reads[x];
            c->begin[p] = c->begin[p] < 0 ? k : c->begin[p];
            c->stop[p] = k;
        }
        for (int64_t x = g->first_write[s]; x < g->first_write[s + 1]; ++x) {
            const int64_t p = g->writes[x];
            c->start[p] = c->start[p] < 0 ? k : c->start[p];
            c->begin[p] = c->begin[p] < 0 ? k : c->begin[p];
            c->stop[p] = k;
        }
    }
}

/* Whether piece p dies within the group [i, j). With `floor`, pieces of earlier nodes count from their first access on. */
static int dies(const cuts* c, int64_t p, int64_t i, int64_t j, int floor) {
    const int there = floor ? c->begin[p] >= 0 : c->start[p] >= 0 || (c->first[p] < i && c->last[p] >= i);
    return there && c->last[p] < j && c->stop[p] >= 0;
}

/* Most bytes alive at any step of group [i, j); or with `floor`, a bound on that of every group [h, j) with h <= i. */
static int64_t peak_of(cuts* c, int64_t i, int64_t j, int floor) {
    const step_graph* g = c->g;
    find_lives(c, i);
    for (int64_t p = 0; p < g->pieces; ++p) {
        const int present = c->first[p] < i && c->last[p] >= i;
        if (floor) {
            /* A row made by an earlier node counts from its first reader on. */
            const int64_t from = c->start[p] >= 0 ? c->start[p] : c->begin[p];
            c->change[from >= 0 ? from : 0] += from >= 0 ? g->bytes[p] : 0;
        } else if (present) {
            c->change[0] += g->bytes[p];
        } else if (c->start[p] >= 0) {
            c->change[c->start[p]] += g->bytes[p];
        }
        if (dies(c, p, i, j, floor)) {
            c->change[c->stop[p] + 1] -= g->bytes[p];
        }
    }
    int64_t now = 0;
    int64_t most = 0;
    for (int64_t k = 0; k < c->length; ++k) {
        const int64_t s = c->order[k];
        int64_t shared = 0;
        now += c->change[k];
        for (int64_t x = g->first_overlap[s]; x < g->first_overlap[s + 1] && shared == 0; ++x) {
            const int64_t read = g->overlap_read[x];
            if (c->stop[read] == k && c->start[g->overlap_written[x]] == k && dies(c, read, i, j, floor)) {
                shared = g->overlap_shared[x];
            }
        }
        most = now - shared > most ? now - shared : most;
    }
    now += c->change[c->length];
    return now > most ? now : most;
}

static int64_t cut_well(cuts* c, streaming* w, const int64_t* nodes, int64_t count, const int64_t* earliest,
                        const uint8_t* forbidden, int64_t floor_every, int64_t* best, int64_t* cut) {
    best[0] = cut[0] = 0;
    for (int64_t j = 1; j <= count; ++j) {
        best[j] = -1;
        cut[j] = 0;
        if (forbidden[j]) {
            continue;
        }
        c->length = stream(c->g, w, nodes + earliest[j], j - earliest[j], c->order);
        int64_t tried = 0;
        for (int64_t i = j - 1; i >= earliest[j]; --i) {
            if (best[i] < 0 || (best[j] >= 0 && best[i] >= best[j])) {
                continue;
            }
            const int64_t alone = peak_of(c, i, j, 0);
            const int64_t peak = alone > best[i] ? alone : best[i];
            if (best[j] < 0 || peak < best[j]) {
                best[j] = peak;
                cut[j] = i;
            }
            if (++tried % floor_every == 0 && peak_of(c, i, j, 1) >= best[j]) {
                break;
            }
        }
    }
    return best[count];
}

/* The least live peak among all cuts of the order `nodes`, -1 if no cut is allowed, -2 if there is no memory. A group that
 * ends before position j begins at earliest[j] or later; cut[j] is where the last of the best groups up to j begins. Both
 * arrays have count + 1 entries, as has `forbidden`, which says where no cut may be. */
int64_t tflm_split_best_cuts(const step_graph* g, const int64_t* nodes, int64_t count, const int64_t* rank,
                             const int64_t* first, const int64_t* last, const int64_t* earliest,
                             const uint8_t* forbidden, int64_t floor_every, int64_t* cut) {
    streaming w = {.done = NULL};
    int64_t* block = malloc((size_t)(2 * g->steps + 2 + 3 * g->pieces + count + 1) * sizeof *block);
    int64_t peak = -2;
    if (begin_streaming(g, &w) == 0 && block != NULL) {
        cuts c = {.g = g, .rank = rank, .first = first, .last = last, .order = block};
        c.change = c.order + g->steps;
        c.start = c.change + g->steps + 2;
        c.begin = c.start + g->pieces;
        c.stop = c.begin + g->pieces;
        peak = cut_well(&c, &w, nodes, count, earliest, forbidden, floor_every, c.stop + g->pieces, cut);
    }
    end_streaming(&w);
    free(block);
    return peak;
}

/* ---- Live bytes ---- */

/* Bytes alive in each of `count` steps: `apart` if no step writes in place, `in_place` if each does so where it may. `start`
 * and `stop` get the live interval of each piece; start is -1 for pieces that never live. */
int64_t tflm_split_live(const step_graph* g, const int64_t* order, int64_t count, int64_t* apart, int64_t* in_place,
                        int64_t* start, int64_t* stop) {
    for (int64_t p = 0; p < g->pieces; ++p) {
        start[p] = g->initial[p] ? 0 : -1;
        stop[p] = 0;
    }
    for (int64_t k = 0; k < count; ++k) {
        apart[k] = 0;
        for (int64_t x = g->first_write[order[k]]; x < g->first_write[order[k] + 1]; ++x) {
            const int64_t p = g->writes[x];
            start[p] = start[p] < 0 ? k : start[p];
            stop[p] = k + 1;
        }
        for (int64_t x = g->first_read[order[k]]; x < g->first_read[order[k] + 1]; ++x) {
            stop[g->reads[x]] = k + 1;
        }
    }
    for (int64_t p = 0; p < g->pieces; ++p) {
        stop[p] = g->final[p] ? count : stop[p];
        if (start[p] >= 0 && start[p] < stop[p]) {
            apart[start[p]] += g->bytes[p];
            if (stop[p] < count) {
                apart[stop[p]] -= g->bytes[p];
            }
        }
    }
    for (int64_t k = 0; k < count; ++k) {
        apart[k] += k > 0 ? apart[k - 1] : 0;
        in_place[k] = apart[k];
        for (int64_t x = g->first_overlap[order[k]]; x < g->first_overlap[order[k] + 1]; ++x) {
            const int64_t read = g->overlap_read[x];
            const int64_t written = g->overlap_written[x];
            if (start[read] >= 0 && stop[read] == k + 1 && start[written] == k && !g->final[read]) {
                in_place[k] -= g->overlap_shared[x];
                break;
            }
        }
    }
    return 0;
}
