/* Divisions of schedule/polish.py, but faster. It divides the same windows in the same way; tests compare both on random
 * networks. Plain C99. All memory is the caller's, except blocks for scratch that a call gives back. */
#include <stdint.h>
#include <stdlib.h>

#include "min_cut.h"

#define SOURCE 0
#define SINK 1
#define UNCUTTABLE ((int64_t)1 << 60) /* as in min_cut.py */

/* Lists by step or by piece: those of k are first[k] .. first[k + 1] - 1. Steps that are not in the order have none. */
typedef struct polish {
    int64_t count; /* positions of the order */
    int64_t steps;
    int64_t pieces;
    const int64_t* bytes; /* by piece */
    const int64_t* first_touched;
    const int64_t* touched; /* by step: pieces that it reads or writes, each once */
    const int64_t* first_depends;
    const int64_t* depends; /* by step: steps of the order */
    const int64_t* first_overlap;
    const int64_t* overlap_read;
    const int64_t* overlap_written;
    const int64_t* overlap_shared;
    const int64_t* first_writer;
    const int64_t* writers; /* by piece: steps of the order */
    const int64_t* first_user;
    const int64_t* users;
    int64_t* order;
    int64_t* live;
    int64_t* live_apart;
    int64_t* first; /* by piece: the first position that touches it, -1 if it exists at the start */
    int64_t* last;  /* by piece: the last position that touches it, `count` if it must survive */
    int64_t steps_left;
} polish;

/* Memory that one call of tflm_split_improve() needs. `seen` and `mark` are stamped, so that they need no clearing. */
typedef struct scratch {
    int64_t* position; /* by step: its position in the order, -1 if it has none */
    int64_t* node;     /* by position in the window: its node of the flow network */
    int64_t* todo;
    int64_t* window; /* pieces that the window touches */
    int64_t* seen;   /* by piece */
    int64_t stamp;
    int64_t* begins; /* by piece: as `first` and `last`, within a window */
    int64_t* ends;
    int64_t* change;
    int64_t* after; /* as they are to be */
    int64_t* undo;  /* as they were before the first division */
    int64_t* stack; /* windows to divide: start, stop, at */
    flow_network network;
    int64_t pieces_in_window;
} scratch;

static int64_t largest(const int64_t* values, int64_t n) {
    int64_t most = 0;
    for (int64_t k = 0; k < n; ++k) {
        most = values[k] > most ? values[k] : most;
    }
    return most;
}

typedef struct crowd {
    int64_t peak;
    int64_t above;
} crowd;

static crowd crowdedness(const polish* p, int64_t level) {
    crowd c = {0, 0};
    for (int64_t k = 0; k < p->count; ++k) {
        c.peak = p->live[k] > c.peak ? p->live[k] : c.peak;
        c.above += p->live[k] > level ? p->live[k] - level : 0;
    }
    return c;
}

/* Lists the pieces that positions [start, stop) touch, and returns the bytes alive there in any order of its steps: those
 * that live throughout, and those that are not touched. */
static int64_t take_window(const polish* p, scratch* w, int64_t start, int64_t stop) {
    int64_t base = p->live_apart[start];
    w->pieces_in_window = 0;
    ++w->stamp;
    for (int64_t k = start; k < stop; ++k) {
        const int64_t s = p->order[k];
        for (int64_t i = p->first_touched[s]; i < p->first_touched[s + 1]; ++i) {
            const int64_t piece = p->touched[i];
            if (w->seen[piece] == w->stamp) {
                continue;
            }
            w->seen[piece] = w->stamp;
            w->window[w->pieces_in_window++] = piece;
            base -= p->first[piece] <= start ? p->bytes[piece] : 0;
            base += p->first[piece] < start && p->last[piece] >= stop ? p->bytes[piece] : 0;
        }
    }
    return base;
}

/* Fills in `live` and `live_apart` for `steps` at positions [start, stop). */
static void measure_window(polish* p, scratch* w, int64_t start, int64_t stop, const int64_t* steps, int64_t base) {
    const int64_t n = stop - start;
    for (int64_t i = 0; i < w->pieces_in_window; ++i) {
        const int64_t piece = w->window[i];
        w->begins[piece] = p->first[piece] < start ? -1 : n;
        w->ends[piece] = -1;
    }
    for (int64_t k = 0; k < n; ++k) {
        w->change[k] = 0;
        for (int64_t i = p->first_touched[steps[k]]; i < p->first_touched[steps[k] + 1]; ++i) {
            const int64_t piece = p->touched[i];
            w->begins[piece] = w->begins[piece] < k ? w->begins[piece] : k;
            w->ends[piece] = k;
        }
    }
    w->change[n] = w->change[n + 1] = 0;
    w->change[0] = base;
    for (int64_t i = 0; i < w->pieces_in_window; ++i) {
        const int64_t piece = w->window[i];
        if (p->last[piece] >= stop) {
            w->ends[piece] = n;
        }
        if (p->first[piece] >= start || p->last[piece] < stop) {
            w->change[w->begins[piece] < 0 ? 0 : w->begins[piece]] += p->bytes[piece];
            w->change[w->ends[piece] + 1] -= p->bytes[piece];
        }
    }
    int64_t now = 0;
    for (int64_t k = 0; k < n; ++k) {
        now += w->change[k];
        p->live_apart[start + k] = p->live[start + k] = now;
        for (int64_t i = p->first_overlap[steps[k]]; i < p->first_overlap[steps[k] + 1]; ++i) {
            if (w->ends[p->overlap_read[i]] == k && w->begins[p->overlap_written[i]] == k) {
                p->live[start + k] -= p->overlap_shared[i];
                break;
            }
        }
    }
}

/* Runs `steps` at positions [start, stop), where the same steps ran in another order. Returns whether the order changed. */
static int reorder(polish* p, scratch* w, int64_t start, int64_t stop, const int64_t* steps) {
    int64_t same = 1;
    for (int64_t k = start; k < stop && same; ++k) {
        same = p->order[k] == steps[k - start];
    }
    if (same) {
        return 0;
    }
    const int64_t base = take_window(p, w, start, stop);
    measure_window(p, w, start, stop, steps, base);
    for (int64_t i = 0; i < w->pieces_in_window; ++i) {
        const int64_t piece = w->window[i];
        if (p->first[piece] >= start) {
            p->first[piece] = start + w->begins[piece];
        }
        if (p->last[piece] < stop) {
            p->last[piece] = start + w->ends[piece];
        }
    }
    for (int64_t k = start; k < stop; ++k) {
        p->order[k] = steps[k - start];
        w->position[steps[k - start]] = k;
    }
    return 1;
}

/* node[k] = SOURCE if the step at `at` depends on step k of the window, SINK if it is that step or depends on it, and a
 * node of its own otherwise. Returns the number of nodes. */
static int64_t number_nodes(const polish* p, scratch* w, int64_t start, int64_t stop, int64_t at) {
    for (int64_t k = 0; k < stop - start; ++k) {
        w->node[k] = -1;
    }
    w->node[at - start] = SINK;
    int64_t count = 0;
    w->todo[count++] = at;
    while (count > 0) {
        const int64_t s = p->order[w->todo[--count]];
        for (int64_t i = p->first_depends[s]; i < p->first_depends[s + 1]; ++i) {
            const int64_t d = w->position[p->depends[i]];
            if (d >= start && d < stop && w->node[d - start] < 0) {
                w->node[d - start] = SOURCE;
                w->todo[count++] = d;
            }
        }
    }
    for (int64_t k = at + 1; k < stop; ++k) {
        const int64_t s = p->order[k];
        for (int64_t i = p->first_depends[s]; i < p->first_depends[s + 1]; ++i) {
            const int64_t d = w->position[p->depends[i]];
            if (d >= start && d < stop && w->node[d - start] == SINK) {
                w->node[k - start] = SINK;
            }
        }
    }
    int64_t nodes = 2;
    for (int64_t k = 0; k < stop - start; ++k) {
        if (w->node[k] < 0) {
            w->node[k] = nodes++;
        }
    }
    return nodes;
}

/* The distinct nodes of the listed steps that are in the window; only `whole` if it is among them. */
static int64_t nodes_of(const scratch* w, const int64_t* steps, int64_t n, int64_t start, int64_t stop, int64_t whole,
                        int64_t* nodes) {
    int64_t count = 0;
    for (int64_t i = 0; i < n; ++i) {
        const int64_t k = w->position[steps[i]];
        if (k < start || k >= stop) {
            continue;
        }
        const int64_t node = w->node[k - start];
        if (node == whole) {
            nodes[0] = whole;
            return 1;
        }
        int64_t j = 0;
        while (j < count && nodes[j] != node) {
            ++j;
        }
        nodes[j] = node;
        count = j == count ? count + 1 : count;
    }
    return count;
}

/* Lets each cut cost the bytes of `piece`, once, if the piece lives between the two halves. */
static int price(const polish* p, scratch* w, int64_t piece, int64_t start, int64_t stop, int64_t* makers) {
    const int64_t* writers = p->writers + p->first_writer[piece];
    const int64_t* readers = p->users + p->first_user[piece];
    int64_t made = 1;
    makers[0] = SOURCE;
    if (p->first[piece] >= start) {
        made = nodes_of(w, writers, p->first_writer[piece + 1] - p->first_writer[piece], start, stop, SOURCE, makers);
    }
    int64_t* users = makers + made;
    int64_t used = 1;
    users[0] = SINK;
    if (p->last[piece] < stop) {
        used = nodes_of(w, readers, p->first_user[piece + 1] - p->first_user[piece], start, stop, SINK, users);
    }
    if (made == 1) {
        int64_t kept = 0;
        for (int64_t i = 0; i < used; ++i) {
            users[kept] = users[i];
            kept += users[i] != makers[0];
        }
        used = kept;
    }
    if (used == 0 || (made == 1 && makers[0] == SINK)) {
        return 0;
    }
    flow_network* net = &w->network;
    int failed = 0;
    int64_t tail = makers[0];
    if (made > 1) {
        tail = net->nodes++;
        for (int64_t i = 0; i < made; ++i) {
            failed |= tflm_split_add_arc(net, makers[i], tail, UNCUTTABLE);
        }
    }
    if (used == 1) {
        return failed | tflm_split_add_arc(net, tail, users[0], p->bytes[piece]);
    }
    const int64_t shared = net->nodes++;
    failed |= tflm_split_add_arc(net, tail, shared, p->bytes[piece]);
    for (int64_t i = 0; i < used; ++i) {
        if (users[i] != SOURCE) {
            failed |= tflm_split_add_arc(net, shared, users[i], UNCUTTABLE);
        }
    }
    return failed;
}

/* The flow network whose cuts are the divisions of [start, stop) around `at`. Returns not 0 if there is no memory. */
static int build_network(const polish* p, scratch* w, int64_t start, int64_t stop, int64_t at) {
    w->network.nodes = number_nodes(p, w, start, stop, at);
    w->network.arcs = 0;
    int failed = 0;
    for (int64_t k = start; k < stop; ++k) {
        const int64_t s = p->order[k];
        const int64_t node = w->node[k - start];
        for (int64_t i = p->first_depends[s]; node != SINK && i < p->first_depends[s + 1]; ++i) {
            const int64_t d = w->position[p->depends[i]];
            if (d >= start && d < stop && w->node[d - start] != SOURCE) {
                failed |= tflm_split_add_arc(&w->network, node, w->node[d - start], UNCUTTABLE);
            }
        }
    }
    for (int64_t i = 0; i < w->pieces_in_window; ++i) {
        const int64_t piece = w->window[i];
        if (p->first[piece] >= start || p->last[piece] < stop) {
            failed |= price(p, w, piece, start, stop, w->todo);
        }
    }
    return failed;
}

/* Divides [start, stop) around `at` with the fewest bytes alive in between; `after` gets the steps in their new order. With
 * `early` as few as possible run before it, otherwise as many. Returns how many do, or -1 if there is no memory. */
static int64_t divide(const polish* p, scratch* w, int64_t start, int64_t stop, int64_t at, int early) {
    take_window(p, w, start, stop);
    if (build_network(p, w, start, stop, at) != 0 || tflm_split_cut(&w->network, SOURCE, SINK) < 0) {
        return -1;
    }
    const uint8_t* chosen = early ? w->network.smallest : w->network.largest;
    int64_t n = 0;
    for (int half = 1; half >= 0; --half) {
        for (int64_t k = start; k < stop; ++k) {
            if (k != at && chosen[w->node[k - start]] == half) {
                w->after[n++] = p->order[k];
            }
        }
        if (half) {
            w->after[n++] = p->order[at];
        }
    }
    int64_t before = 0;
    while (w->after[before] != p->order[at]) {
        ++before;
    }
    return before;
}

/* Divides [start, stop) at `at`, then each half at its own worst step while that is as high as `peak`. */
static int divide_until_thin(polish* p, scratch* w, int64_t start, int64_t stop, int64_t at, int early, int64_t peak) {
    int64_t waiting = 0;
    const int64_t whole[3] = {start, stop, at};
    for (int i = 0; i < 3; ++i) {
        w->stack[waiting++] = whole[i];
    }
    while (waiting > 0) {
        waiting -= 3;
        const int64_t from = w->stack[waiting];
        const int64_t to = w->stack[waiting + 1];
        p->steps_left -= to - from;
        const int64_t middle = divide(p, w, from, to, w->stack[waiting + 2], early);
        if (middle < 0) {
            return -1;
        }
        if (!reorder(p, w, from, to, w->after)) {
            continue;
        }
        const int64_t halves[4] = {from, from + middle, from + middle + 1, to};
        for (int h = 0; h < 4; h += 2) {
            const int64_t most = largest(p->live + halves[h], halves[h + 1] - halves[h]);
            if (halves[h] < halves[h + 1] && most >= peak) {
                int64_t worst = halves[h];
                while (p->live[worst] != most) {
                    ++worst;
                }
                w->stack[waiting++] = halves[h];
                w->stack[waiting++] = halves[h + 1];
                w->stack[waiting++] = worst;
            }
        }
    }
    return 0;
}

static int64_t improve(polish* p, scratch* w, int64_t start, int64_t stop, int64_t at, int64_t level) {
    const crowd best = crowdedness(p, level);
    for (int64_t k = start; k < stop; ++k) {
        w->undo[k - start] = p->order[k];
    }
    for (int early = 1; early >= 0; --early) {
        if (divide_until_thin(p, w, start, stop, at, early, best.peak) != 0) {
            return -1;
        }
        const crowd now = crowdedness(p, level);
        if (now.peak < best.peak || (now.peak == best.peak && now.above < best.above)) {
            return 1;
        }
        reorder(p, w, start, stop, w->undo);
    }
    return 0;
}

/* Divides the window [start, stop) at `at`, then its halves where they are crowded. Returns 1 if that lowers the peak, or
 * the bytes above `level` at the same peak. Otherwise it is undone, and the result is 0; -1 if there is no memory. */
int64_t tflm_split_improve(polish* p, int64_t start, int64_t stop, int64_t at, int64_t level) {
    const int64_t window = stop - start + 2;
    int64_t most_users = 2;
    for (int64_t i = 0; i < p->pieces; ++i) {
        const int64_t users = p->first_user[i + 1] - p->first_user[i] + p->first_writer[i + 1] - p->first_writer[i] + 2;
        most_users = users > most_users ? users : most_users;
    }
    const int64_t todo = window + most_users;
    int64_t* block = calloc((size_t)(p->steps + 4 * p->pieces + todo + 7 * window), sizeof *block);
    if (block == NULL) {
        return -1;
    }
    scratch w = {.position = block};
    w.window = w.position + p->steps;
    w.seen = w.window + p->pieces;
    w.begins = w.seen + p->pieces;
    w.ends = w.begins + p->pieces;
    w.todo = w.ends + p->pieces;
    w.node = w.todo + todo;
    w.change = w.node + window;
    w.after = w.change + window;
    w.undo = w.after + window;
    w.stack = w.undo + window; /* halves do not overlap, so there are never more than half as many as steps */
    for (int64_t s = 0; s < p->steps; ++s) {
        w.position[s] = -1;
    }
    for (int64_t k = 0; k < p->count; ++k) {
        w.position[p->order[k]] = k;
    }
    const int64_t better = improve(p, &w, start, stop, at, level);
    tflm_split_free_network(&w.network);
    free(block);
    return better;
}
