/* The inner loop of plan/repair.py, step for step the same (tests compare the two on random problems): only faster.
 *
 * A body b has spans first[b]..first[b+1]; span s lies offset[s] bytes into its body. The pairs pair_first[b]..
 * pair_first[b+1] say what b must avoid: it may not lie at any address a with at[span] + low < a < at[span] + high.
 * Plain C99; all memory is the caller's except one scratch block. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define UNPLACED INT64_MIN

typedef struct problem {
    int64_t bodies;
    const int64_t* first;
    const int64_t* offset;
    const int64_t* body_bytes;
    const int64_t* align;
    const int64_t* pair_first;
    const int64_t* pair_span;
    const int64_t* pair_low;
    const int64_t* pair_high;
    const int64_t* rival_first;
    const int64_t* rival;
    const int64_t* fixed; /* address, or UNPLACED */
    int64_t best_fit;
    int64_t bound_bytes;
} problem;

static uint64_t next_random(uint64_t* state) {
    uint64_t x = *state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return (x * UINT64_C(2685821657736338717)) >> 33;
}

static int64_t round_up(int64_t value, int64_t align) {
    return (value + align - 1) / align * align;
}

/* The lowest allowed address at or above `from` among m forbidden open intervals. */
static int64_t lowest_from(int64_t from, int64_t align, const int64_t* low, const int64_t* high, int64_t m) {
    int64_t at = round_up(from, align);
    for (;;) {
        const int64_t before = at;
        for (int64_t k = 0; k < m; ++k) {
            if (low[k] < at && at < high[k]) {
                at = round_up(high[k], align);
            }
        }
        if (at == before) {
            return at;
        }
    }
}

static int64_t best_address(const problem* p, int64_t b, const int64_t* low, const int64_t* high, int64_t m) {
    const int64_t align = p->align[b];
    int64_t at = lowest_from(0, align, low, high, m);
    if (!p->best_fit) {
        return at;
    }
    int64_t tightest = -1;
    int64_t tightest_at = at;
    for (;;) {
        int64_t limit = INT64_MAX;
        for (int64_t k = 0; k < m; ++k) {
            if (low[k] >= at && low[k] < limit) {
                limit = low[k];
            }
        }
        if (limit == INT64_MAX) {
            return tightest < 0 ? at : tightest_at;
        }
        if (tightest < 0 || limit - at < tightest) {
            tightest = limit - at;
            tightest_at = at;
        }
        at = lowest_from(limit + 1, align, low, high, m);
    }
}

static void put(const problem* p, int64_t b, int64_t address, int64_t* at, int64_t* addresses) {
    addresses[b] = address;
    for (int64_t s = p->first[b]; s < p->first[b + 1]; ++s) {
        at[s] = address + p->offset[s];
    }
}

/* Place order[known..] after the fixed bodies and order[..known], which lie at known_addresses. */
static void place(const problem* p, const int64_t* order, int64_t known, const int64_t* known_addresses, int64_t* at,
                  int64_t* low, int64_t* high, int64_t* addresses) {
    const int64_t spans = p->first[p->bodies];
    for (int64_t s = 0; s < spans; ++s) {
        at[s] = UNPLACED;
    }
    for (int64_t b = 0; b < p->bodies; ++b) {
        if (p->fixed[b] != UNPLACED) {
            put(p, b, p->fixed[b], at, addresses);
        }
    }
    for (int64_t i = 0; i < p->bodies; ++i) {
        const int64_t b = order[i];
        if (p->fixed[b] != UNPLACED) {
            continue;
        }
        if (i < known) {
            put(p, b, known_addresses[b], at, addresses);
            continue;
        }
        int64_t m = 0;
        for (int64_t k = p->pair_first[b]; k < p->pair_first[b + 1]; ++k) {
            const int64_t where = at[p->pair_span[k]];
            if (where != UNPLACED && where + p->pair_high[k] > 0) {
                low[m] = where + p->pair_low[k];
                high[m] = where + p->pair_high[k];
                ++m;
            }
        }
        put(p, b, best_address(p, b, low, high, m), at, addresses);
    }
}

typedef struct rank {
    int64_t head_bytes;
    int64_t excess_bytes;
} rank;

static rank rank_of(const problem* p, const int64_t* addresses) {
    rank r = {0, 0};
    for (int64_t b = 0; b < p->bodies; ++b) {
        const int64_t end = addresses[b] + p->body_bytes[b];
        r.head_bytes = end > r.head_bytes ? end : r.head_bytes;
        r.excess_bytes += end > p->bound_bytes ? end - p->bound_bytes : 0;
    }
    return r;
}

static int not_worse(rank a, rank b) {
    return a.head_bytes < b.head_bytes || (a.head_bytes == b.head_bytes && a.excess_bytes <= b.excess_bytes);
}

static void move_body(int64_t* order, int64_t from, int64_t to) {
    const int64_t b = order[from];
    if (from < to) {
        memmove(order + from, order + from + 1, (size_t)(to - from) * sizeof *order);
    } else {
        memmove(order + to + 1, order + to, (size_t)(from - to) * sizeof *order);
    }
    order[to] = b;
}

/* Up to `rounds` repairs of `order`; the best addresses met are left in `best`, which must hold those of `order`.
 * Returns the head of the best, or -1 without memory. */
int64_t tflm_split_repair(const problem* p, const int64_t* start_order, int64_t rounds, uint64_t seed, int64_t* best) {
    const int64_t n = p->bodies;
    const int64_t spans = p->first[n];
    int64_t most_pairs = 1;
    for (int64_t b = 0; b < n; ++b) {
        const int64_t pairs = p->pair_first[b + 1] - p->pair_first[b];
        most_pairs = pairs > most_pairs ? pairs : most_pairs;
    }
    int64_t* block = malloc((size_t)(6 * n + spans + 2 * most_pairs) * sizeof *block);
    if (block == NULL) {
        return -1;
    }
    int64_t* order = block;
    int64_t* trial = order + n;
    int64_t* position = trial + n;
    int64_t* chosen = position + n;
    int64_t* now = chosen + n;
    int64_t* then = now + n;
    int64_t* at = then + n;
    int64_t* low = at + spans;
    int64_t* high = low + most_pairs;
    uint64_t state = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
    memcpy(order, start_order, (size_t)n * sizeof *order);
    memcpy(now, best, (size_t)n * sizeof *now);
    rank now_rank = rank_of(p, now);
    rank best_rank = now_rank;
    for (int64_t round = 0; round < rounds && best_rank.head_bytes > p->bound_bytes; ++round) {
        const int64_t limit = next_random(&state) % 10 < 7 ? now_rank.head_bytes - 1 : p->bound_bytes;
        int64_t culprits = 0;
        for (int64_t b = 0; b < n; ++b) {
            if (now[b] + p->body_bytes[b] > limit && p->fixed[b] == UNPLACED) {
                chosen[culprits++] = b;
            }
        }
        if (culprits == 0) {
            break;
        }
        const int64_t culprit = chosen[(int64_t)next_random(&state) % culprits];
        for (int64_t i = 0; i < n; ++i) {
            position[order[i]] = i;
        }
        int64_t earlier = 0;
        for (int64_t k = p->rival_first[culprit]; k < p->rival_first[culprit + 1]; ++k) {
            const int64_t r = p->rival[k];
            if (position[r] < position[culprit] && p->fixed[r] == UNPLACED) {
                chosen[earlier++] = position[r];
            }
        }
        memcpy(trial, order, (size_t)n * sizeof *trial);
        int64_t changed = n;
        if (earlier > 0) {
            changed = chosen[(int64_t)next_random(&state) % earlier];
            move_body(trial, position[culprit], changed);
        }
        if (earlier == 0 || next_random(&state) % 10 < 3) {
            const int64_t from = (int64_t)next_random(&state) % n;
            const int64_t to = (int64_t)next_random(&state) % n;
            move_body(trial, from, to);
            changed = from < changed ? from : changed;
            changed = to < changed ? to : changed;
        }
        place(p, trial, changed, now, at, low, high, then);
        const rank then_rank = rank_of(p, then);
        if (not_worse(then_rank, now_rank) || next_random(&state) % 50 == 0) {
            memcpy(order, trial, (size_t)n * sizeof *order);
            memcpy(now, then, (size_t)n * sizeof *now);
            now_rank = then_rank;
        }
        if (not_worse(now_rank, best_rank)) {
            memcpy(best, now, (size_t)n * sizeof *best);
            best_rank = now_rank;
        }
    }
    free(block);
    return best_rank.head_bytes;
}

/* One placement of `order` into `addresses`; -1 without memory. */
int64_t tflm_split_place(const problem* p, const int64_t* order, int64_t* addresses) {
    const int64_t spans = p->first[p->bodies];
    int64_t most_pairs = 1;
    for (int64_t b = 0; b < p->bodies; ++b) {
        const int64_t pairs = p->pair_first[b + 1] - p->pair_first[b];
        most_pairs = pairs > most_pairs ? pairs : most_pairs;
    }
    int64_t* block = malloc((size_t)(spans + 2 * most_pairs) * sizeof *block);
    if (block == NULL) {
        return -1;
    }
    place(p, order, 0, NULL, block, block + spans, block + spans + most_pairs, addresses);
    free(block);
    return 0;
}
