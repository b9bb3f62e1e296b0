/* _Search._explore() of schedule/optimal_order.py, but faster: the dynamic programme over sets of executed tasks. It looks at
 * the same sets in the same order; tests compare both. Plain C99. All memory is the caller's, except blocks for scratch. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* The tasks of a part. Sets of them are `words` words of bits each. Lists of k are first_...[k] .. first_...[k + 1] - 1. A
 * chain has the number of its first task, its head. */
typedef struct part {
    int64_t tasks;
    int64_t words;
    const int64_t* first_link; /* by head: the tasks of its chain; of other tasks, none */
    const int64_t* links;
    const int64_t* made;       /* by task: bytes that it alone makes */
    const int64_t* first_make; /* by task: what others of the part make, too */
    const int64_t* make_bytes;
    const uint64_t* makers;
    const int64_t* first_free; /* by task: what may die with it */
    const int64_t* free_bytes;
    const int64_t* free_over; /* bytes that may be written in place then */
    const uint64_t* users;
    const int64_t* first_head; /* by head: the chains that may become ready once its chain has run */
    const int64_t* heads;
    const uint64_t* waits;    /* by head: tasks that must run before its chain */
    const uint64_t* affected; /* by head: chains whose effect may change once its chain has run */
} part;

/* What is left of an order of some tasks. `bits` are the tasks that have run, then the chains that can run next. */
typedef struct state {
    int64_t live;
    int64_t peak;
    int64_t live_sum;
    int64_t path; /* the last chain that ran, as an index of `chains`; -1 at the start */
    int64_t next; /* of the same size, in the order in which they were found */
} state;

typedef struct link {
    int64_t head;
    int64_t before;
} link;

typedef struct search {
    const part* p;
    int64_t budget; /* peaks above it are dropped; -1 if there is none */
    state* states;
    uint64_t* bits;
    int64_t count;
    int64_t space;
    link* chains; /* the chains behind all states, as lists from the last one back */
    int64_t chain_count;
    int64_t chain_space;
    int64_t* table; /* of a power of two of entries: index of a state, or -1 */
    int64_t table_size;
    int64_t* first; /* by number of tasks done: its states as a list */
    int64_t* last;
    state now; /* the state in the making, and another after one more chain */
    state tried;
    uint64_t* now_bits;
    uint64_t* tried_bits;
    int64_t* added; /* the chains that led to `now` from a state that is kept */
    int64_t added_count;
    int64_t least_dropped;
} search;

static int inside(const uint64_t* some, const uint64_t* all, int64_t words) {
    for (int64_t w = 0; w < words; ++w) {
        if (some[w] & ~all[w]) {
            return 0;
        }
    }
    return 1;
}

static int meet(const uint64_t* a, const uint64_t* b, int64_t words) {
    for (int64_t w = 0; w < words; ++w) {
        if (a[w] & b[w]) {
            return 1;
        }
    }
    return 0;
}

/* The lowest member from k on, or `count`. */
static int64_t next_member(const uint64_t* bits, int64_t k, int64_t count) {
    while (k < count) {
        uint64_t word = bits[k / 64] >> (k % 64);
        if (word == 0) {
            k = (k / 64 + 1) * 64;
            continue;
        }
        for (; !(word & 1); word >>= 1) {
            ++k;
        }
        return k;
    }
    return count;
}

static int64_t members(const uint64_t* bits, int64_t words) {
    int64_t count = 0;
    for (int64_t w = 0; w < words; ++w) {
        for (uint64_t left = bits[w]; left != 0; left &= left - 1) {
            ++count;
        }
    }
    return count;
}

/* ---- One chain more ---- */

/* Runs task k: the bytes alive, the highest so far and their sum change. */
static void run_task(const part* p, int64_t k, state* to, uint64_t* done) {
    int64_t made = p->made[k];
    for (int64_t i = p->first_make[k]; i < p->first_make[k + 1]; ++i) {
        made += meet(p->makers + i * p->words, done, p->words) ? 0 : p->make_bytes[i];
    }
    to->live += made;
    const int64_t before = to->live;
    int64_t shared = 0;
    done[k / 64] |= UINT64_C(1) << (k % 64);
    for (int64_t i = p->first_free[k]; i < p->first_free[k + 1]; ++i) {
        if (inside(p->users + i * p->words, done, p->words)) {
            to->live -= p->free_bytes[i];
            shared = p->free_over[i] > shared ? p->free_over[i] : shared;
        }
    }
    const int64_t high = before - (shared < made ? shared : made);
    to->live_sum += high;
    to->peak = high > to->peak ? high : to->peak;
}

/* The state after the chain of `head`, into `tried`. */
static void run(search* s, const state* from, const uint64_t* bits, int64_t head) {
    const part* p = s->p;
    uint64_t* done = s->tried_bits;
    uint64_t* ready = done + p->words;
    s->tried = *from;
    memcpy(done, bits, (size_t)(2 * p->words) * sizeof *done);
    for (int64_t i = p->first_link[head]; i < p->first_link[head + 1]; ++i) {
        run_task(p, p->links[i], &s->tried, done);
    }
    ready[head / 64] &= ~(UINT64_C(1) << (head % 64));
    for (int64_t i = p->first_head[head]; i < p->first_head[head + 1]; ++i) {
        const int64_t next = p->heads[i];
        if (inside(p->waits + next * p->words, done, p->words)) {
            ready[next / 64] |= UINT64_C(1) << (next % 64);
        }
    }
}

/* `tried` becomes `now`. */
static void take(search* s, int64_t head) {
    uint64_t* bits = s->now_bits;
    s->now_bits = s->tried_bits;
    s->tried_bits = bits;
    s->now = s->tried;
    s->added[s->added_count++] = head;
}

/* Runs all chains of `todo`, and those that they affect, that leave no more bytes alive and do not raise the peak. All ready
 * chains are checked as soon as fewer than `floor` bytes are alive. */
static void run_harmless(search* s, uint64_t* todo, int64_t floor) {
    const part* p = s->p;
    for (int64_t k = next_member(todo, 0, p->tasks); k < p->tasks; k = next_member(todo, 0, p->tasks)) {
        todo[k / 64] &= ~(UINT64_C(1) << (k % 64));
        run(s, &s->now, s->now_bits, k);
        if (s->tried.live > s->now.live || s->tried.peak > (s->budget < 0 ? s->now.peak : s->budget)) {
            continue;
        }
        take(s, k);
        const uint64_t* ready = s->now_bits + p->words;
        const int lower = s->now.live < floor;
        for (int64_t w = 0; w < p->words; ++w) {
            todo[w] = lower ? ready[w] : (todo[w] | p->affected[k * p->words + w]) & ready[w];
        }
        floor = lower ? s->now.live : floor;
    }
}

/* ---- The states that are kept ---- */

static uint64_t hash(const uint64_t* done, int64_t words) {
    uint64_t h = 0;
    for (int64_t w = 0; w < words; ++w) {
        h = (h ^ done[w]) * UINT64_C(0x9e3779b97f4a7c15);
        h ^= h >> 29;
    }
    return h;
}

/* Where in the table the set `done` is, or where it belongs. */
static int64_t slot_of(const search* s, const uint64_t* done) {
    const int64_t words = s->p->words;
    const uint64_t mask = (uint64_t)s->table_size - 1;
    uint64_t at = hash(done, words) & mask;
    while (s->table[at] >= 0 &&
           memcmp(s->bits + s->table[at] * 2 * words, done, (size_t)words * sizeof *done) != 0) {
        at = (at + 1) & mask;
    }
    return (int64_t)at;
}

static int grow(search* s) {
    const int64_t space = s->space == 0 ? 1024 : 2 * s->space;
    const int64_t words = s->p->words;
    state* states = realloc(s->states, (size_t)space * sizeof *states);
    s->states = states != NULL ? states : s->states;
    uint64_t* bits = realloc(s->bits, (size_t)(space * 2 * words) * sizeof *bits);
    s->bits = bits != NULL ? bits : s->bits;
    int64_t* table = realloc(s->table, (size_t)(2 * space) * sizeof *table);
    s->table = table != NULL ? table : s->table;
    if (states == NULL || bits == NULL || table == NULL) {
        return -1;
    }
    s->space = space;
    s->table_size = 2 * space;
    for (int64_t k = 0; k < s->table_size; ++k) {
        s->table[k] = -1;
    }
    for (int64_t k = 0; k < s->count; ++k) {
        s->table[slot_of(s, s->bits + k * 2 * words)] = k;
    }
    return 0;
}

/* Links the chains that were `added` to the list of `now`. */
static int remember_path(search* s) {
    if (s->chain_count + s->added_count > s->chain_space) {
        const int64_t space = 2 * s->chain_space + s->added_count + 1024;
        link* grown = realloc(s->chains, (size_t)space * sizeof *grown);
        if (grown == NULL) {
            return -1;
        }
        s->chains = grown;
        s->chain_space = space;
    }
    for (int64_t k = 0; k < s->added_count; ++k) {
        const link made = {s->added[k], s->now.path};
        s->now.path = s->chain_count;
        s->chains[s->chain_count++] = made;
    }
    return 0;
}

/* Keeps `now`, unless a state of the same set is at least as good. Returns not 0 if there is no memory. */
static int keep(search* s) {
    const int64_t words = s->p->words;
    if (2 * s->count >= s->table_size && grow(s) != 0) {
        return -1;
    }
    const int64_t slot = slot_of(s, s->now_bits);
    int64_t k = s->table[slot];
    if (k >= 0) {
        const int64_t lower = s->budget < 0 ? s->states[k].peak - s->now.peak : 0;
        if (lower < 0 || (lower == 0 && s->states[k].live_sum <= s->now.live_sum)) {
            return 0;
        }
        s->now.next = s->states[k].next;
    } else {
        const int64_t size = members(s->now_bits, words);
        k = s->table[slot] = s->count++;
        if (s->first[size] < 0) {
            s->first[size] = k;
        } else {
            s->states[s->last[size]].next = k;
        }
        s->last[size] = k;
        s->now.next = -1;
    }
    if (remember_path(s) != 0) {
        return -1;
    }
    s->states[k] = s->now;
    memcpy(s->bits + k * 2 * words, s->now_bits, (size_t)(2 * words) * sizeof *s->bits);
    return 0;
}

/* ---- The dynamic programme ---- */

typedef struct ranked {
    state of;
    const uint64_t* done;
    int64_t words;
    int64_t index;
} ranked;

static int compare_ranked(const void* a, const void* b) {
    const ranked* x = a;
    const ranked* y = b;
    const int64_t left[3] = {x->of.peak, x->of.live, x->of.live_sum};
    const int64_t right[3] = {y->of.peak, y->of.live, y->of.live_sum};
    for (int k = 0; k < 3; ++k) {
        if (left[k] != right[k]) {
            return left[k] < right[k] ? -1 : 1;
        }
    }
    for (int64_t w = x->words - 1; w >= 0; --w) {
        if (x->done[w] != y->done[w]) {
            return x->done[w] < y->done[w] ? -1 : 1;
        }
    }
    return 0;
}

/* The states of one size, in the order in which they go on, into *found; with a `beam`, only so many of the best. Returns how
 * many, or -1 if there is no memory. */
static int64_t states_of(const search* s, int64_t size, int64_t beam, int64_t** found) {
    int64_t count = 0;
    for (int64_t k = s->first[size]; k >= 0; k = s->states[k].next) {
        ++count;
    }
    *found = malloc((size_t)(count + 1) * sizeof **found);
    ranked* sorted = malloc((size_t)(beam < 0 ? 1 : count + 1) * sizeof *sorted);
    if (*found == NULL || sorted == NULL) {
        free(sorted);
        return -1;
    }
    int64_t n = 0;
    for (int64_t k = s->first[size]; k >= 0; k = s->states[k].next) {
        if (beam >= 0) {
            const ranked one = {s->states[k], s->bits + k * 2 * s->p->words, s->p->words, k};
            sorted[n] = one;
        }
        (*found)[n++] = k;
    }
    if (beam >= 0) {
        qsort(sorted, (size_t)count, sizeof *sorted, compare_ranked);
        count = beam < count ? beam : count;
        for (int64_t k = 0; k < count; ++k) {
            (*found)[k] = sorted[k].index;
        }
    }
    free(sorted);
    return count;
}

/* Keeps all states that one chain more leads to from state `at`. Returns not 0 if there is no memory. `todo` is scratch. */
static int go_on(search* s, int64_t at, uint64_t* todo) {
    const part* p = s->p;
    const int64_t words = p->words;
    const uint64_t* from = s->bits + at * 2 * words;
    for (int64_t k = next_member(from + words, 0, p->tasks); k < p->tasks;
         k = next_member(from + words, k + 1, p->tasks)) {
        const state before = s->states[at];
        run(s, &before, from, k);
        if (s->budget >= 0 && s->tried.peak > s->budget) {
            s->least_dropped = s->tried.peak < s->least_dropped ? s->tried.peak : s->least_dropped;
            continue;
        }
        s->added_count = 0;
        take(s, k);
        const int all = s->budget < 0 && s->now.peak > before.peak;
        for (int64_t w = 0; w < words; ++w) {
            todo[w] = s->now_bits[words + w] & (all ? ~UINT64_C(0) : p->affected[k * words + w]);
        }
        run_harmless(s, todo, before.live);
        if (keep(s) != 0) {
            return -1;
        }
        from = s->bits + at * 2 * words; /* the block may have moved */
    }
    return 0;
}

/* What a call of tflm_split_explore() gives back. */
typedef struct outcome {
    int64_t live;
    int64_t peak;
    int64_t live_sum;
    int64_t states_left; /* is reduced */
    int64_t gave_up;
    int64_t least_dropped; /* the least peak above the budget */
} outcome;

static int64_t explore(search* s, const uint64_t* ready, int64_t beam, outcome* out, uint64_t* todo) {
    const part* p = s->p;
    const int64_t half = out->states_left / 2;
    const int64_t some = out->states_left < 1000 ? out->states_left : 1000;
    int64_t allowance = half > some ? half : some;
    memset(s->now_bits, 0, (size_t)(2 * p->words) * sizeof *s->now_bits);
    memcpy(s->now_bits + p->words, ready, (size_t)p->words * sizeof *ready);
    memcpy(todo, ready, (size_t)p->words * sizeof *ready);
    run_harmless(s, todo, 0);
    int failed = keep(s);
    for (int64_t size = 0; size < p->tasks && !failed; ++size) {
        int64_t* found = NULL;
        const int64_t count = states_of(s, size, beam, &found);
        if (count > 0 && beam < 0) {
            out->states_left -= count;
            allowance -= count;
            out->gave_up = allowance < 0;
        }
        failed = count < 0;
        for (int64_t k = 0; k < count && !failed && !out->gave_up; ++k) {
            failed = go_on(s, found[k], todo);
        }
        free(found);
        if (out->gave_up) {
            break;
        }
    }
    return failed ? -2 : out->gave_up ? -1 : s->first[p->tasks];
}

/* The best order of a part, `ready` being its chains that can run first: the heads of its chains go to `order`, the last one
 * first. `out` holds the bytes alive at the start, and then those at the end. `budget` and `beam` as in Python, -1 if there
 * is none. Returns the number of chains, -1 if no order was found, and -2 if there is no memory. */
int64_t tflm_split_explore(const part* p, const uint64_t* ready, int64_t budget, int64_t beam, outcome* out,
                           int64_t* order) {
    const int64_t sizes = p->tasks + 1;
    search s = {.p = p, .budget = budget, .least_dropped = out->least_dropped};
    int64_t* numbers = malloc((size_t)(2 * sizes + p->tasks) * sizeof *numbers);
    uint64_t* words = malloc((size_t)(5 * p->words) * sizeof *words);
    int64_t length = -2;
    if (numbers != NULL && words != NULL) {
        s.first = numbers;
        s.last = numbers + sizes;
        s.added = s.last + sizes;
        s.now_bits = words;
        s.tried_bits = words + 2 * p->words;
        for (int64_t k = 0; k < 2 * sizes; ++k) {
            numbers[k] = -1;
        }
        const state start = {out->live, out->peak, out->live_sum, -1, -1};
        s.now = start;
        const int64_t end = explore(&s, ready, beam, out, words + 4 * p->words);
        out->least_dropped = s.least_dropped;
        if (end >= 0) {
            length = 0;
            for (int64_t k = s.states[end].path; k >= 0; k = s.chains[k].before) {
                order[length++] = s.chains[k].head;
            }
            out->live = s.states[end].live;
            out->peak = s.states[end].peak;
            out->live_sum = s.states[end].live_sum;
        } else {
            length = end;
        }
    }
    free(s.states);
    free(s.bits);
    free(s.chains);
    free(s.table);
    free(numbers);
    free(words);
    return length;
}
