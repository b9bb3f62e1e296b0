/* The inner loops of plan/first_fit.py and plan/squeeze.py, but faster. They take the same steps; tests compare both on
 * random problems.
 *
 * A pair of body b says what b must avoid: every address a with address[body] + low < a < address[body] + high. Plain C99. All memory is the caller's, except one block for scratch. */
#include <stdlib.h>

#include "pairs.h"

#define WORSE_MOVES 64 /* as in squeeze.py */

static uint64_t next_random(uint64_t* state) {
    uint64_t x = *state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return (x * UINT64_C(2685821657736338717)) >> 33;
}

static int64_t round_up(int64_t value, int64_t align) {
    const int power_of_two = (align & (align - 1)) == 0;
    return power_of_two ? (value + align - 1) & -align : (value + align - 1) / align * align;
}

static int64_t most_pairs(const problem* p) {
    int64_t most = 1;
    for (int64_t b = 0; b < p->bodies; ++b) {
        const int64_t pairs = p->pair_first[b + 1] - p->pair_first[b];
        most = pairs > most ? pairs : most;
    }
    return most;
}

/* ---- First fit ---- */

typedef struct forbidden {
    int64_t low;
    int64_t high;
} forbidden;

#define FEW 24 /* so many intervals are sorted faster by insertion */

static void sort_by_insertion(forbidden* list, int64_t m) {
    for (int64_t k = 1; k < m; ++k) {
        const forbidden moving = list[k];
        int64_t j = k;
        for (; j >= 1 && list[j - 1].low > moving.low; --j) {
            list[j] = list[j - 1];
        }
        list[j] = moving;
    }
}

/* Sorts m intervals by `low`, which is -1 at least. `spare` has room for as many. Returns where they are: `list` or `spare`.
 *
 * A radix sort. Low digits that are the same everywhere are passed over: most addresses are multiples of something. */
static forbidden* sort_intervals(forbidden* list, forbidden* spare, int64_t m) {
    if (m <= FEW) {
        sort_by_insertion(list, m);
        return list;
    }
    uint64_t differ = 0;
    for (int64_t k = 0; k < m; ++k) {
        differ |= (uint64_t)(list[k].low + 1) ^ (uint64_t)(list[0].low + 1);
    }
    int shift = 0;
    while (differ != 0 && (differ & 1) == 0) {
        differ >>= 1;
        ++shift;
    }
    for (; differ != 0; differ >>= 8, shift += 8) {
        int64_t next[257] = {0};
        for (int64_t k = 0; k < m; ++k) {
            ++next[((uint64_t)(list[k].low + 1) >> shift & 255) + 1];
        }
        for (int d = 0; d < 256; ++d) {
            next[d + 1] += next[d];
        }
        for (int64_t k = 0; k < m; ++k) {
            spare[next[(uint64_t)(list[k].low + 1) >> shift & 255]++] = list[k];
        }
        forbidden* sorted = spare;
        spare = list;
        list = sorted;
    }
    return list;
}

/* The lowest aligned address at or above `from` that is outside the m forbidden open intervals, which are sorted by `low`.
 * Those before *next are known not to matter; *next becomes the first interval above the address. */
static int64_t lowest_from(int64_t from, int64_t align, const forbidden* list, int64_t m, int64_t* next) {
    int64_t at = round_up(from, align);
    for (; *next < m && list[*next].low < at; ++*next) {
        if (at < list[*next].high) {
            at = round_up(list[*next].high, align);
        }
    }
    return at;
}

static int64_t lowest_or_tightest(int64_t align, int64_t best_fit, const forbidden* list, int64_t m) {
    int64_t next = 0;
    int64_t at = lowest_from(0, align, list, m, &next);
    if (!best_fit) {
        return at;
    }
    int64_t tightest = -1;
    int64_t tightest_at = at;
    while (next < m) {
        if (tightest < 0 || list[next].low - at < tightest) {
            tightest = list[next].low - at;
            tightest_at = at;
        }
        at = lowest_from(list[next].low + 1, align, list, m, &next);
    }
    return tightest < 0 ? at : tightest_at;
}

/* Places all bodies in `order`. Those with an address in `fixed` keep it. Returns -1 if there is no memory. */
int64_t tflm_split_place(const problem* p, const int64_t* order, const int64_t* fixed, int64_t best_fit,
                         int64_t* addresses) {
    const int64_t most = most_pairs(p);
    forbidden* list = malloc((size_t)(2 * most) * sizeof *list);
    if (list == NULL) {
        return -1;
    }
    for (int64_t b = 0; b < p->bodies; ++b) {
        addresses[b] = fixed[b];
    }
    for (int64_t i = 0; i < p->bodies; ++i) {
        const int64_t b = order[i];
        if (addresses[b] != UNPLACED) {
            continue;
        }
        int64_t m = 0;
        for (int64_t k = p->pair_first[b]; k < p->pair_first[b + 1]; ++k) {
            const int64_t where = addresses[p->pairs[k].body];
            if (where != UNPLACED && where + p->pairs[k].high > 0) {
                /* All that begins below 0 is alike. */
                const forbidden here = {where + p->pairs[k].low < 0 ? -1 : where + p->pairs[k].low,
                                        where + p->pairs[k].high};
                list[m++] = here;
            }
        }
        addresses[b] = lowest_or_tightest(p->align[b], best_fit, sort_intervals(list, list + most, m), m);
    }
    free(list);
    return 0;
}

/* ---- Squeeze ---- */

/* What a pair forbids its body now, and what a conflict costs. */
typedef struct near {
    int64_t low;
    int64_t high;
    int64_t weight;
} near;

typedef struct state {
    const problem* p;
    int64_t* at;
    int64_t* weight;    /* by pair */
    int64_t* conflicts; /* by body: pairs in conflict */
    int64_t* listed;    /* bodies in conflict */
    int64_t* position;  /* by body: its index in `listed`, or -1 */
    int64_t listed_count;
    int64_t* candidate; /* addresses tried for one body, ascending */
    int64_t* constant;  /* cost = constant + slope * address; both as differences from one candidate to the next */
    int64_t* slope;
    near* near;     /* the pairs of one body that count below the height */
    uint64_t* bits; /* the candidates once more, see mark() */
    int64_t* before;
    int32_t* index_of; /* by unit of a candidate: its index; elsewhere anything */
} state;

static int in_conflict(const problem* p, int64_t k, int64_t address, const int64_t* at) {
    const int64_t where = address - at[p->pairs[k].body];
    return p->pairs[k].low < where && where < p->pairs[k].high;
}

static void list_or_unlist(state* s, int64_t b) {
    if (s->conflicts[b] > 0 && s->position[b] < 0) {
        s->position[b] = s->listed_count;
        s->listed[s->listed_count++] = b;
    } else if (s->conflicts[b] == 0 && s->position[b] >= 0) {
        const int64_t last = s->listed[--s->listed_count];
        s->listed[s->position[b]] = last;
        s->position[last] = s->position[b];
        s->position[b] = -1;
    }
}

/* `value` in whole units of `align`, rounded down. `shift` is the binary logarithm of `align`, or -1 if it has none. */
static int64_t units(int64_t value, int64_t align, int shift) {
    return shift >= 0 ? value >> shift : value / align;
}

static int shift_of(int64_t align) {
    int shift = 0;
    while (((int64_t)1 << shift) < align) {
        ++shift;
    }
    return ((int64_t)1 << shift) == align ? shift : -1;
}

/* Addresses that are candidates for one body, as bits: bit u % 64 of word u / 64 stands for address u * align. `before`
 * has the number of bits in all earlier words, so that the rank of an address is looked up, not searched for. */
static void mark(state* s, int64_t unit) {
    s->bits[unit / 64] |= UINT64_C(1) << (unit % 64);
}

static int64_t ones(uint64_t x) {
    x -= x >> 1 & UINT64_C(0x5555555555555555);
    x = (x & UINT64_C(0x3333333333333333)) + (x >> 2 & UINT64_C(0x3333333333333333));
    x = (x + (x >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    return (int64_t)((x * UINT64_C(0x0101010101010101)) >> 56);
}

/* How many candidates are at `value` or below, for 0 <= value. */
static int64_t rank(const state* s, int64_t value, int64_t align, int shift, int64_t last_word) {
    const int64_t unit = units(value, align, shift);
    const int64_t word = unit / 64;
    if (word > last_word) {
        return s->before[last_word + 1];
    }
    return s->before[word] + ones(s->bits[word] & (~UINT64_C(0) >> (63 - unit % 64)));
}

static int lowest_bit(uint64_t word) {
#if defined(__GNUC__)
    return __builtin_ctzll(word);
#else
    return (int)ones((word & (~word + 1)) - 1);
#endif
}

/* The pairs of body b that forbid an address between 0 and `top`, into `near`. Returns how many. */
static int64_t find_near(state* s, int64_t b, int64_t top) {
    const problem* p = s->p;
    int64_t count = 0;
    for (int64_t k = p->pair_first[b]; k < p->pair_first[b + 1]; ++k) {
        const int64_t where = s->at[p->pairs[k].body];
        const near here = {where + p->pairs[k].low, where + p->pairs[k].high, s->weight[k]};
        s->near[count] = here;
        count += here.low < top && here.high > 0;
    }
    return count;
}

/* Fills in the addresses where the cost of a body can be least, ascending, and returns their number. The cost is linear
 * between ends of forbidden intervals. So these are 0, `top`, every end in between rounded down and up, and `here`, its
 * current address. All of them are multiples of the body's alignment. */
static int64_t candidates(state* s, int64_t near_count, int64_t here, int64_t top, int64_t align, int shift) {
    const int64_t last_word = units(top, align, shift) / 64;
    for (int64_t w = 0; w <= last_word; ++w) {
        s->bits[w] = 0;
    }
    mark(s, 0);
    mark(s, units(top, align, shift));
    mark(s, units(here, align, shift));
    for (int64_t k = 0; k < near_count; ++k) {
        if (s->near[k].low > 0) {
            mark(s, units(s->near[k].low, align, shift));
            mark(s, units(s->near[k].low + align - 1, align, shift));
        }
        if (s->near[k].high < top) {
            mark(s, units(s->near[k].high, align, shift));
            mark(s, units(s->near[k].high + align - 1, align, shift));
        }
    }
    int64_t n = 0;
    for (int64_t w = 0; w <= last_word; ++w) {
        s->before[w] = n;
        for (uint64_t left = s->bits[w]; left != 0; left &= left - 1) {
            const int64_t unit = 64 * w + lowest_bit(left);
            s->index_of[unit] = (int32_t)n;
            s->candidate[n++] = unit * align;
        }
    }
    s->before[last_word + 1] = n;
    return n;
}

static void add_to(state* s, int64_t from, int64_t to, int64_t constant, int64_t slope) {
    s->constant[from] += constant;
    s->constant[to] -= constant;
    s->slope[from] += slope;
    s->slope[to] -= slope;
}

/* Adds what each near pair costs. Its cost rises from the first candidate above `low` on, falls from the middle on, and ends
 * before `high`. Both ends, rounded, are candidates themselves. */
static void add_costs(state* s, int64_t near_count, int64_t n, int64_t top, int64_t align, int shift) {
    const int64_t last_word = units(top, align, shift) / 64;
    for (int64_t i = 0; i <= n; ++i) {
        s->constant[i] = s->slope[i] = 0;
    }
    for (int64_t k = 0; k < near_count; ++k) {
        const int64_t low = s->near[k].low;
        const int64_t high = s->near[k].high;
        const int64_t weight = s->near[k].weight;
        const int64_t from = low < 0 ? 0 : s->index_of[units(low, align, shift)] + 1;
        const int64_t to = high > top ? n : s->index_of[units(high + align - 1, align, shift)];
        const int64_t middle = low + high < 0 ? 0 : rank(s, (low + high) / 2, align, shift, last_word);
        const int64_t half = (high - low) / 2;
        const int64_t turn = middle < to ? middle : to;
        add_to(s, from, turn, weight * (half - low), weight);
        add_to(s, turn, to, weight * (half + high), -weight);
    }
}

/* The cheapest candidate other than `here`. Ties are broken at random. Its cost and that of `here` go to *cost and
 * *cost_here. */
static int64_t cheapest(state* s, int64_t b, int64_t here, int64_t top, uint64_t* dice, int64_t* cost,
                        int64_t* cost_here) {
    const int64_t align = s->p->align[b];
    const int shift = shift_of(align);
    const int64_t near_count = find_near(s, b, top);
    const int64_t n = candidates(s, near_count, here, top, align, shift);
    add_costs(s, near_count, n, top, align, shift);
    int64_t constant = 0;
    int64_t slope = 0;
    int64_t ties = 0;
    *cost = -1;
    for (int64_t i = 0; i < n; ++i) {
        constant += s->constant[i];
        slope += s->slope[i];
        const int64_t value = constant + slope * s->candidate[i];
        if (s->candidate[i] == here) {
            *cost_here = value;
        } else if (*cost < 0 || value < *cost) {
            *cost = value;
            ties = 0;
            s->candidate[ties++] = s->candidate[i];
        } else if (value == *cost) {
            s->candidate[ties++] = s->candidate[i];
        }
    }
    return ties == 0 ? here : s->candidate[(int64_t)next_random(dice) % ties];
}

static void move(state* s, int64_t b, int64_t to) {
    const problem* p = s->p;
    for (int64_t k = p->pair_first[b]; k < p->pair_first[b + 1]; ++k) {
        const int64_t other = p->pairs[k].body;
        const int change = in_conflict(p, k, to, s->at) - in_conflict(p, k, s->at[b], s->at);
        if (change != 0) {
            s->conflicts[b] += change;
            s->conflicts[other] += change;
            list_or_unlist(s, other);
        }
    }
    s->at[b] = to;
    list_or_unlist(s, b);
}

/* Words of candidates for any body below `head_bytes`, and one more for the end of `before`. */
static int64_t most_words(const problem* p, int64_t head_bytes) {
    int64_t most = 0;
    for (int64_t b = 0; b < p->bodies; ++b) {
        const int64_t words = (head_bytes - p->body_bytes[b]) / p->align[b] / 64;
        most = words > most ? words : most;
    }
    return most + 2;
}

/* How many numbers the `block` of tflm_split_squeeze() must hold. */
int64_t tflm_split_squeeze_room(const problem* p, int64_t head_bytes) {
    const int64_t words = most_words(p, head_bytes);
    const int64_t pairs = most_pairs(p);
    return p->pair_first[p->bodies] + 3 * p->bodies + 3 * (4 * pairs + 4) + 3 * (pairs + 1) + 34 * words;
}

/* Initial state: all bodies below `head_bytes`, every pair of weight 1, bodies in conflict listed. */
static void begin(state* s, int64_t head_bytes) {
    const problem* p = s->p;
    for (int64_t k = 0; k < p->pair_first[p->bodies]; ++k) {
        s->weight[k] = 1;
    }
    for (int64_t b = 0; b < p->bodies; ++b) {
        const int64_t top = (head_bytes - p->body_bytes[b]) / p->align[b] * p->align[b];
        s->at[b] = s->at[b] < top ? s->at[b] : top;
    }
    for (int64_t b = 0; b < p->bodies; ++b) {
        s->conflicts[b] = 0;
        s->position[b] = -1;
        for (int64_t k = p->pair_first[b]; k < p->pair_first[b + 1]; ++k) {
            s->conflicts[b] += in_conflict(p, k, s->at[b], s->at);
        }
        list_or_unlist(s, b);
    }
}

/* Changes addresses, all below `head_bytes`, until no body is in conflict. Returns how many still are.
 *
 * At most *visits pairs are looked at; *visits is reduced by their number. The search can be resumed. Pass -1 as `listed`
 * the first time, and afterwards what was returned, with the same `dice`, `addresses` and `block`. It then goes on as if
 * it had never stopped. */
int64_t tflm_split_squeeze(const problem* p, int64_t head_bytes, uint64_t* dice, int64_t* visits, int64_t* addresses,
                           int64_t* block, int64_t listed) {
    const int64_t n = p->bodies;
    const int64_t room = 4 * most_pairs(p) + 4;
    state s = {.p = p, .at = addresses, .weight = block, .listed_count = listed < 0 ? 0 : listed};
    s.conflicts = s.weight + p->pair_first[n];
    s.listed = s.conflicts + n;
    s.position = s.listed + n;
    s.candidate = s.position + n;
    s.constant = s.candidate + room;
    s.slope = s.constant + room;
    s.near = (near*)(s.slope + room);
    s.before = (int64_t*)(s.near + most_pairs(p) + 1);
    s.bits = (uint64_t*)(s.before + most_words(p, head_bytes));
    s.index_of = (int32_t*)(s.bits + most_words(p, head_bytes));
    if (listed < 0) {
        begin(&s, head_bytes);
    }
    while (s.listed_count > 0 && *visits > 0) {
        const int64_t b = s.listed[(int64_t)next_random(dice) % s.listed_count];
        const int64_t here = addresses[b];
        const int64_t top = (head_bytes - p->body_bytes[b]) / p->align[b] * p->align[b];
        int64_t cost = 0;
        int64_t cost_here = 0;
        *visits -= p->pair_first[b + 1] - p->pair_first[b];
        const int64_t to = cheapest(&s, b, here, top, dice, &cost, &cost_here);
        if (to != here && cost < cost_here) {
            move(&s, b, to);
            continue;
        }
        for (int64_t k = p->pair_first[b]; k < p->pair_first[b + 1]; ++k) {
            if (in_conflict(p, k, here, addresses)) {
                ++s.weight[k];
                ++s.weight[p->pairs[k].twin];
            }
        }
        if (next_random(dice) % WORSE_MOVES == 0) {
            move(&s, b, to);
        }
    }
    return s.listed_count;
}
