/* The loops of schedule/streaming.py, cuts.py and lives.py, but faster. They give the same orders, cuts and bytes; tests
 * compare both on random networks. Plain C99. All memory is the caller's, except blocks for scratch that a call gives back. */
#include "steps.h"

#include <stdlib.h>

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

/* Of one operator order. `first` and `last` are ranks in it, as in cuts.py.
 *
 * Groups with the same end j are looked at from the shortest on: each adds one node in front. So only the pieces that this
 * node reads or writes get other lives. */
typedef struct cuts {
    const step_graph* g;
    const int64_t* rank;  /* by node */
    const int64_t* first; /* by piece */
    const int64_t* last;
    int64_t* crossing; /* by rank i: bytes of all pieces that exist before i and are needed from i on */
    int64_t* order;    /* the steps of the longest group */
    int64_t length;
    int64_t* first_of; /* by rank: where its positions in `order` begin in `positions` */
    int64_t* positions;
    int64_t* start; /* by piece: position of the first write, -1 if there is none */
    int64_t* begin; /* by piece: position of the first access */
    int64_t* stop;  /* by piece: position of the last access */
    int64_t* touched;
    int64_t* stale;  /* positions where a touched piece was written first or accessed last */
    int64_t* change; /* by position: bytes born there, less those that died just before */
    int64_t* shared; /* by position: bytes that its step writes over a dying row */
    int64_t* floor_change;
    int64_t* floor_shared;
} cuts;

/* `crossing`, for an order of `count` nodes. */
static void find_crossing(cuts* c, int64_t count) {
    for (int64_t i = 0; i <= count + 1; ++i) {
        c->crossing[i] = 0;
    }
    for (int64_t p = 0; p < c->g->pieces; ++p) {
        const int64_t from = c->first[p] + 1;
        const int64_t to = c->last[p] < count ? c->last[p] + 1 : count + 1;
        if (from < to) {
            c->crossing[from] += c->g->bytes[p];
            c->crossing[to] -= c->g->bytes[p];
        }
    }
    for (int64_t i = 0; i <= count; ++i) {
        c->crossing[i + 1] += c->crossing[i];
    }
}

/* An empty group that ends before `count` nodes, the first of which has rank `low`; `order` has their steps. */
static void begin_groups(cuts* c, int64_t low, int64_t count) {
    const step_graph* g = c->g;
    for (int64_t p = 0; p < g->pieces; ++p) {
        c->start[p] = c->begin[p] = c->stop[p] = -1;
    }
    for (int64_t k = 0; k < c->length + 2; ++k) {
        c->change[k] = c->floor_change[k] = c->shared[k] = c->floor_shared[k] = 0;
    }
    for (int64_t i = low; i <= count; ++i) {
        c->first_of[i] = 0;
    }
    for (int64_t k = 0; k < c->length; ++k) {
        ++c->first_of[c->rank[g->node[c->order[k]]] + 1];
    }
    for (int64_t i = low; i < count; ++i) {
        c->first_of[i + 1] += c->first_of[i];
    }
    for (int64_t k = 0; k < c->length; ++k) {
        c->positions[c->first_of[c->rank[g->node[c->order[k]]]]++] = k;
    }
    for (int64_t i = count; i > low; --i) {
        c->first_of[i] = c->first_of[i - 1];
    }
    c->first_of[low] = 0;
}

static int is_present(const cuts* c, int64_t p, int64_t i) {
    return c->first[p] < i && c->last[p] >= i;
}

/* Counts the birth and the death of piece p in group [i, j), with sign -1 no longer. Pieces that are present from before
 * are in `crossing`; in the floor they count from their first access on. */
static void count_piece(cuts* c, int64_t p, int64_t i, int64_t j, int64_t sign) {
    const int64_t bytes = sign * c->g->bytes[p];
    if (c->stop[p] < 0) {
        return;
    }
    const int present = is_present(c, p, i);
    const int made = c->start[p] >= 0;
    if (made && !present) {
        c->change[c->start[p]] += bytes;
    }
    c->floor_change[made ? c->start[p] : c->begin[p]] += bytes;
    if (c->last[p] < j) {
        c->floor_change[c->stop[p] + 1] -= bytes;
        c->change[c->stop[p] + 1] -= made || present ? bytes : 0;
    }
}

/* A step at position k reads piece p, or writes it. */
static void access_piece(cuts* c, int64_t p, int64_t k) {
    c->begin[p] = c->begin[p] < 0 || k < c->begin[p] ? k : c->begin[p];
    c->stop[p] = k > c->stop[p] ? k : c->stop[p];
}

/* Notes piece p as touched, and takes it out of the counts of group [i + 1, j), unless that was done. */
static int64_t touch(cuts* c, uint8_t* is_touched, int64_t p, int64_t i, int64_t j, int64_t count) {
    if (is_touched[p]) {
        return count;
    }
    is_touched[p] = 1;
    count_piece(c, p, i + 1, j, -1);
    c->touched[count] = p;
    c->stale[2 * count] = c->start[p];
    c->stale[2 * count + 1] = c->stop[p];
    return count + 1;
}

/* Whether piece p dies within the group [i, j). With `floor`, pieces of earlier nodes count from their first access on. */
static int dies(const cuts* c, int64_t p, int64_t i, int64_t j, int floor) {
    const int there = floor ? c->begin[p] >= 0 : c->start[p] >= 0 || is_present(c, p, i);
    return there && c->last[p] < j && c->stop[p] >= 0;
}

static int64_t shared_at(const cuts* c, int64_t k, int64_t i, int64_t j, int floor) {
    const step_graph* g = c->g;
    const int64_t s = c->order[k];
    for (int64_t x = g->first_overlap[s]; x < g->first_overlap[s + 1]; ++x) {
        const int64_t read = g->overlap_read[x];
        if (g->overlap_shared[x] != 0 && c->stop[read] == k && c->start[g->overlap_written[x]] == k &&
            dies(c, read, i, j, floor)) {
            return g->overlap_shared[x];
        }
    }
    return 0;
}

static void share_at(cuts* c, int64_t k, int64_t i, int64_t j) {
    if (k >= 0) {
        c->shared[k] = shared_at(c, k, i, j, 0);
        c->floor_shared[k] = shared_at(c, k, i, j, 1);
    }
}

/* Makes group [i + 1, j) group [i, j). `is_touched`, by piece, is 0 before and after. */
static void add_node(cuts* c, uint8_t* is_touched, int64_t i, int64_t j) {
    const step_graph* g = c->g;
    int64_t count = 0;
    for (int64_t n = c->first_of[i]; n < c->first_of[i + 1]; ++n) {
        const int64_t k = c->positions[n];
        const int64_t s = c->order[k];
        for (int64_t x = g->first_read[s]; x < g->first_read[s + 1]; ++x) {
            const int64_t p = g->reads[x];
            count = touch(c, is_touched, p, i, j, count);
            access_piece(c, p, k);
        }
        for (int64_t x = g->first_write[s]; x < g->first_write[s + 1]; ++x) {
            const int64_t p = g->writes[x];
            count = touch(c, is_touched, p, i, j, count);
            c->start[p] = c->start[p] < 0 || k < c->start[p] ? k : c->start[p];
            access_piece(c, p, k);
        }
    }
    for (int64_t t = 0; t < count; ++t) {
        const int64_t p = c->touched[t];
        count_piece(c, p, i, j, 1);
        share_at(c, c->stale[2 * t], i, j);
        share_at(c, c->stale[2 * t + 1], i, j);
        share_at(c, c->start[p], i, j);
        share_at(c, c->stop[p], i, j);
        is_touched[p] = 0;
    }
}

/* Most bytes alive at any step of group [i, j); or with `floor`, a bound on that of every group [h, j) with h <= i. */
static int64_t peak_of(const cuts* c, int64_t i, int floor) {
    const int64_t* change = floor ? c->floor_change : c->change;
    const int64_t* shared = floor ? c->floor_shared : c->shared;
    int64_t now = floor ? 0 : c->crossing[i];
    int64_t most = 0;
    for (int64_t k = 0; k < c->length; ++k) {
        now += change[k];
        most = now - shared[k] > most ? now - shared[k] : most;
    }
    now += change[c->length];
    return now > most ? now : most;
}

static int64_t cut_well(cuts* c, streaming* w, uint8_t* is_touched, const int64_t* nodes, int64_t count,
                        const int64_t* earliest, const uint8_t* forbidden, int64_t floor_every, int64_t* best,
                        int64_t* cut) {
    best[0] = cut[0] = 0;
    for (int64_t j = 1; j <= count; ++j) {
        best[j] = -1;
        cut[j] = 0;
        if (forbidden[j]) {
            continue;
        }
        c->length = stream(c->g, w, nodes + earliest[j], j - earliest[j], c->order);
        begin_groups(c, earliest[j], j);
        int64_t tried = 0;
        for (int64_t i = j - 1; i >= earliest[j]; --i) {
            add_node(c, is_touched, i, j);
            if (best[i] < 0 || (best[j] >= 0 && best[i] >= best[j])) {
                continue;
            }
            const int64_t alone = peak_of(c, i, 0);
            const int64_t peak = alone > best[i] ? alone : best[i];
            if (best[j] < 0 || peak < best[j]) {
                best[j] = peak;
                cut[j] = i;
            }
            if (++tried % floor_every == 0 && peak_of(c, i, 1) >= best[j]) {
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
    const int64_t numbers = 6 * g->steps + 8 + 6 * g->pieces + 3 * count + 5;
    int64_t* block = malloc((size_t)numbers * sizeof *block);
    uint8_t* is_touched = calloc((size_t)g->pieces + 1, 1);
    int64_t peak = -2;
    if (begin_streaming(g, &w) == 0 && block != NULL && is_touched != NULL) {
        cuts c = {.g = g, .rank = rank, .first = first, .last = last, .order = block};
        c.positions = c.order + g->steps;
        c.change = c.positions + g->steps;
        c.floor_change = c.change + g->steps + 2;
        c.shared = c.floor_change + g->steps + 2;
        c.floor_shared = c.shared + g->steps + 2;
        c.start = c.floor_shared + g->steps + 2;
        c.begin = c.start + g->pieces;
        c.stop = c.begin + g->pieces;
        c.touched = c.stop + g->pieces;
        c.stale = c.touched + g->pieces;
        c.crossing = c.stale + 2 * g->pieces;
        c.first_of = c.crossing + count + 2;
        int64_t* best = c.first_of + count + 2;
        find_crossing(&c, count);
        peak = cut_well(&c, &w, is_touched, nodes, count, earliest, forbidden, floor_every, best, cut);
    }
    end_streaming(&w);
    free(block);
    free(is_touched);
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
