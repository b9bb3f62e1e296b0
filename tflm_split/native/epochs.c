/* One try of plan/moves.py, but faster: addresses for the bodies that are born in an epoch. It takes the same steps as
 * _Epochs._solve() in Python; tests compare whole layouts. Plain C99. */
#include <stdlib.h>

#include "pairs.h"

#define EACH_TRY_STARTS_WITH 1 /* the state of Dice(0) in squeeze.py */

/* What is known so far: `home` is the address of a body at its birth, `at` the current address of each span of a movable
 * body; both UNPLACED where there is none. A body that is not `movable` stays at home. */
typedef struct memory {
    const bodies* all;
    const uint8_t* movable;
    const int64_t* home;
    const int64_t* at;
    int64_t horizon;
    int64_t height;
    int64_t base_visits;
    int64_t visits_per_pair;
} memory;

/* The bodies of an epoch, under construction. */
typedef struct epoch {
    bodies sub;
    int64_t* index; /* by body of the model: its index in the epoch, -1 if it has none */
    uint8_t* lain_on;
    int64_t* born; /* by body of the epoch that is born in it: the body of the model */
    int64_t born_count;
    int64_t* first_span;
    int64_t* start;
    int64_t* stop;
    int64_t* offset;
    int64_t* bytes;
    int64_t* size;
    int64_t* align;
    int64_t* first_leeway;
    int64_t* read;
    int64_t* distance;
    int64_t spans;
    int64_t leeways;
} epoch;

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static int64_t birth(const bodies* all, int64_t b) {
    int64_t start = INT64_MAX;
    for (int64_t i = all->first_span[b]; i < all->first_span[b + 1]; ++i) {
        start = least(start, all->start[i]);
    }
    return start;
}

/* The address of span i of body b, UNPLACED if it has none or has died. */
static int64_t address_of(const memory* m, int64_t b, int64_t i) {
    if (m->movable[b]) {
        return m->at[i];
    }
    return m->home[b] == UNPLACED ? UNPLACED : m->home[b] + m->all->offset[i];
}

/* Whether a span that is born in [start, stop), at an address already decided, overlaps one that can be moved. */
static int collides(const memory* m, int64_t start, int64_t stop) {
    const bodies* all = m->all;
    for (int64_t b = 0; b < all->count; ++b) {
        if (m->movable[b] || m->home[b] == UNPLACED) {
            continue;
        }
        for (int64_t i = all->first_span[b]; i < all->first_span[b + 1]; ++i) {
            if (all->start[i] < start || all->start[i] >= stop) {
                continue;
            }
            const int64_t low = m->home[b] + all->offset[i];
            for (int64_t c = 0; c < all->count; ++c) {
                for (int64_t j = all->first_span[c]; m->movable[c] && j < all->first_span[c + 1]; ++j) {
                    const int64_t at = m->at[j];
                    if (at != UNPLACED && all->stop[j] > start && all->stop[j] > all->start[i] &&
                        at < low + all->bytes[i] && low < at + all->bytes[j]) {
                        return 1;
                    }
                }
            }
        }
    }
    return 0;
}

static void add_span(epoch* e, int64_t start, int64_t stop, int64_t offset, int64_t bytes) {
    e->start[e->spans] = start;
    e->stop[e->spans] = stop;
    e->offset[e->spans] = offset;
    e->bytes[e->spans++] = bytes;
}

static void end_body(epoch* e, int64_t size, int64_t align) {
    e->size[e->sub.count] = size;
    e->align[e->sub.count++] = align;
    e->first_span[e->sub.count] = e->spans;
}

static int64_t end_of(const memory* m, int64_t b, int64_t stop) {
    return m->movable[b] ? stop : m->horizon;
}

/* The bodies born in [start, stop), their lifetimes cut to it where they can be moved afterwards. */
static void add_born(epoch* e, const memory* m, int64_t start, int64_t stop) {
    const bodies* all = m->all;
    for (int64_t b = 0; b < all->count; ++b) {
        const int64_t at = birth(all, b);
        if (m->home[b] != UNPLACED || at < start || at >= stop) {
            continue;
        }
        const int64_t end = end_of(m, b, stop);
        for (int64_t i = all->first_span[b]; i < all->first_span[b + 1]; ++i) {
            if (all->start[i] < end) {
                add_span(e, most(all->start[i], start), least(all->stop[i], end), all->offset[i], all->bytes[i]);
            }
        }
        e->index[b] = e->sub.count;
        e->born[e->born_count++] = b;
        end_body(e, all->size[b], all->align[b]);
        for (int64_t k = all->first_leeway[b]; k < all->first_leeway[b + 1]; ++k) {
            e->lain_on[all->read[k]] = 1;
        }
    }
}

/* Placed spans that are alive in the epoch: those of bodies that newborns may lie on as bodies of their own, or the others
 * as one body. All of them are as large as the height, so that their only address is 0. */
static void add_placed(epoch* e, const memory* m, int64_t start, int64_t stop, int on_their_own) {
    const bodies* all = m->all;
    const int64_t before = e->spans;
    for (int movable = 1; movable >= 0; --movable) {
        for (int64_t b = 0; b < all->count; ++b) {
            if (m->movable[b] != movable || m->home[b] == UNPLACED || e->lain_on[b] != on_their_own) {
                continue;
            }
            const int64_t end = end_of(m, b, stop);
            for (int64_t i = all->first_span[b]; i < all->first_span[b + 1]; ++i) {
                const int64_t at = address_of(m, b, i);
                if (at != UNPLACED && all->start[i] < end && all->stop[i] > start) {
                    add_span(e, most(all->start[i], start), least(all->stop[i], end), at, all->bytes[i]);
                    if (on_their_own) {
                        e->index[b] = e->sub.count;
                        end_body(e, m->height, 1);
                    }
                }
            }
        }
    }
    if (!on_their_own && e->spans > before) {
        end_body(e, m->height, 1);
    }
}

static void add_leeways(epoch* e, const memory* m) {
    const bodies* all = m->all;
    for (int64_t k = 0; k < e->sub.count; ++k) {
        e->first_leeway[k] = e->leeways;
        if (k < e->born_count) {
            const int64_t b = e->born[k];
            for (int64_t x = all->first_leeway[b]; x < all->first_leeway[b + 1]; ++x) {
                if (e->index[all->read[x]] >= 0) {
                    e->read[e->leeways] = e->index[all->read[x]];
                    e->distance[e->leeways++] = all->distance[x];
                }
            }
        }
    }
    e->first_leeway[e->sub.count] = e->leeways;
}

static epoch empty_epoch(const bodies* all, int64_t* block, uint8_t* flags) {
    const int64_t n = all->count + 1;
    const int64_t spans = all->first_span[all->count] + 1;
    const int64_t leeways = all->first_leeway[all->count] + 1;
    epoch e = {{0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL},
               block,
               flags,
               NULL,
               0,
               NULL,
               NULL,
               NULL,
               NULL,
               NULL,
               NULL,
               NULL,
               NULL,
               NULL,
               NULL,
               0,
               0};
    e.born = e.index + n;
    e.start = e.born + n;
    e.stop = e.start + spans;
    e.offset = e.stop + spans;
    e.bytes = e.offset + spans;
    e.first_span = e.bytes + spans; /* a placed body with several spans is several bodies here */
    e.size = e.first_span + spans + n + 1;
    e.align = e.size + spans + n;
    e.first_leeway = e.align + spans + n;
    e.read = e.first_leeway + spans + n + 1;
    e.distance = e.read + leeways;
    e.first_span[0] = 0;
    for (int64_t b = 0; b < n; ++b) {
        e.index[b] = -1;
        e.lain_on[b] = 0;
    }
    const bodies sub = {0,      e.first_span, e.start,        e.stop, e.offset,  e.bytes,
                        e.size, e.align,      e.first_leeway, e.read, e.distance};
    e.sub = sub;
    return e;
}

/* Squeezes the epoch's bodies below the height. Returns how many are in conflict still, or -1 if there is no memory. */
static int64_t squeezed(const memory* m, const epoch* e, const pair_list* pairs, int64_t rounds, int64_t* visits,
                        int64_t* addresses) {
    const problem p = {e->sub.count, e->size, e->align, pairs->first, pairs->pairs};
    *visits -= pairs->count * m->visits_per_pair;
    const int64_t granted = least(*visits, rounds * pairs->count + m->base_visits);
    if (granted <= 0) {
        return 1;
    }
    for (int64_t b = 0; b < e->sub.count; ++b) {
        if (e->size[b] > m->height) {
            return 1;
        }
    }
    int64_t* block = malloc((size_t)tflm_split_squeeze_room(&p, m->height) * sizeof *block);
    if (block == NULL) {
        return -1;
    }
    uint64_t dice = EACH_TRY_STARTS_WITH;
    int64_t left = granted;
    const int64_t conflicts = tflm_split_squeeze(&p, m->height, &dice, &left, addresses, block, -1);
    *visits -= granted - left;
    free(block);
    return conflicts;
}

/* Addresses of the bodies born in [start, stop). `hints` are the addresses to start from, by body. The bodies go to `born`,
 * their addresses to `addresses`; both have room for all bodies. *visits is reduced by the pairs that were looked at, and
 * by what it takes to set up the try. Returns the number of bodies born, -1 if no addresses were found, and -2 if there is
 * no memory. */
int64_t tflm_split_solve_epoch(const memory* m, int64_t start, int64_t stop, const int64_t* hints, int64_t rounds,
                               int64_t* visits, int64_t* born, int64_t* addresses) {
    if (collides(m, start, stop)) {
        return -1;
    }
    const bodies* all = m->all;
    const int64_t n = all->count + 1;
    const int64_t spans = all->first_span[all->count] + 1;
    const int64_t numbers = 7 * n + 8 * spans + 2 * all->first_leeway[all->count] + 8;
    int64_t* block = malloc((size_t)numbers * sizeof *block);
    uint8_t* flags = malloc((size_t)n);
    int64_t* at = malloc((size_t)(spans + n) * sizeof *at);
    int64_t result = -2;
    if (block != NULL && flags != NULL && at != NULL) {
        epoch e = empty_epoch(all, block, flags);
        add_born(&e, m, start, stop);
        add_placed(&e, m, start, stop, 1);
        add_placed(&e, m, start, stop, 0);
        add_leeways(&e, m);
        pair_list pairs;
        if (tflm_split_list_pairs(&e.sub, &pairs) == 0) {
            for (int64_t b = 0; b < e.sub.count; ++b) {
                at[b] = b < e.born_count ? hints[e.born[b]] : 0;
            }
            const int64_t conflicts = squeezed(m, &e, &pairs, rounds, visits, at);
            tflm_split_free_pairs(&pairs);
            for (int64_t k = 0; k < e.born_count; ++k) {
                born[k] = e.born[k];
                addresses[k] = at[k];
            }
            result = conflicts == 0 ? e.born_count : conflicts > 0 ? -1 : -2;
        }
    }
    free(block);
    free(flags);
    free(at);
    return result;
}
