/* rooms() of plan/make_room.py, but faster: how occupants of memory make room for a newcomer. The ways and their order are
 * the same; tests compare both. Plain C99. All memory is the caller's, except blocks for scratch. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define UNPLACED INT64_MIN
#define MAX_SLIDING_NEIGHBOURS 8 /* as in make_room.py */
#define MAX_STEPPING_ASIDE 4

/* What lies in memory, sorted by (low, body, span), and who is to come. */
typedef struct occupants {
    int64_t count;
    const int64_t* low;
    const int64_t* high;
    const int64_t* body;
    const int64_t* span;
    const int64_t* lie_on; /* the distance of the leeway by which the newcomer may lie on it, -1 if there is none */
    const uint8_t* is_fixed;
    int64_t bytes; /* of the newcomer */
    int64_t height;
    int64_t align;
    int64_t at; /* where the newcomer has to go, or UNPLACED */
} occupants;

typedef struct step {
    int64_t who; /* index of an occupant */
    int64_t to;
} step;

typedef struct room {
    int64_t moved_bytes;
    int64_t address;
    int64_t count;
    step* steps;
} room;

/* The rooms found so far, no two with the same steps. Only the `most` that move the fewest bytes are wanted. */
typedef struct search {
    const occupants* here;
    room* rooms;
    int64_t count;
    int64_t space;
    int64_t most;
    int64_t most_bytes; /* ways that move more than this are left out */
    int64_t* fewest;    /* the bytes that the best `most` rooms move, ascending */
    step* steps;        /* scratch for one way */
    int64_t* numbers;   /* scratch for addresses, then for gaps */
    int failed;
} search;

static int64_t down(int64_t value, int64_t align) {
    const int64_t rest = value % align;
    return value - (rest < 0 ? rest + align : rest);
}

static int64_t up(int64_t value, int64_t align) {
    return down(value + align - 1, align);
}

/* The lowest address from `low` on whose distance from `like` is a multiple of `align`. */
static int64_t congruent(int64_t low, int64_t like, int64_t align) {
    return low + (like - low) - down(like - low, align);
}

static int compare_numbers(const void* a, const void* b) {
    const int64_t x = *(const int64_t*)a;
    const int64_t y = *(const int64_t*)b;
    return x < y ? -1 : x > y;
}

/* ---- The rooms that are kept ---- */

static int same_steps(const room* a, const step* steps, int64_t count) {
    return a->count == count && (count == 0 || memcmp(a->steps, steps, (size_t)count * sizeof *steps) == 0);
}

/* Notes that a room moves so many bytes. `fewest` are those of the best so far, ascending. */
static void note(search* s, int64_t moved_bytes) {
    int64_t k = s->count < s->most ? s->count : s->most - 1;
    if (k == s->count || moved_bytes < s->fewest[k]) {
        for (; k > 0 && s->fewest[k - 1] > moved_bytes; --k) {
            s->fewest[k] = s->fewest[k - 1];
        }
        s->fewest[k] = moved_bytes;
    }
    if (s->count + 1 >= s->most) {
        s->most_bytes = s->fewest[s->most - 1];
    }
}

/* Keeps a room of the first `count` scratch steps, in place of one with the same steps. */
static void keep(search* s, int64_t moved_bytes, int64_t address, int64_t count) {
    for (int64_t k = 0; k < s->count; ++k) {
        if (s->rooms[k].moved_bytes == moved_bytes && same_steps(&s->rooms[k], s->steps, count)) {
            s->rooms[k].address = address;
            return;
        }
    }
    if (s->count == s->space) {
        room* grown = realloc(s->rooms, (size_t)(2 * s->space + 16) * sizeof *grown);
        if (grown == NULL) {
            s->failed = 1;
            return;
        }
        s->rooms = grown;
        s->space = 2 * s->space + 16;
    }
    room made = {moved_bytes, address, count, malloc((size_t)(count + 1) * sizeof *made.steps)};
    if (made.steps == NULL) {
        s->failed = 1;
        return;
    }
    memcpy(made.steps, s->steps, (size_t)count * sizeof *made.steps);
    note(s, moved_bytes);
    s->rooms[s->count++] = made;
}

/* ---- Slides ---- */

/* Addresses worth trying between occupants k - 1 and k, ascending, into `numbers`. Returns how many. */
static int64_t between(search* s, int64_t k) {
    const occupants* h = s->here;
    int64_t found = 0;
    int64_t packed = 0;
    const int64_t first = k - MAX_SLIDING_NEIGHBOURS > 0 ? k - MAX_SLIDING_NEIGHBOURS : 0;
    for (int64_t j = k; j >= first; --j) {
        if (j < k) {
            if (h->is_fixed[j]) {
                break;
            }
            packed += up(h->high[j] - h->low[j], h->align);
        }
        s->numbers[found++] = up(j > 0 ? h->high[j - 1] : 0, h->align) + packed;
    }
    const int64_t on = k < h->count && h->lie_on[k] > 0 ? h->lie_on[k] : h->bytes;
    const int64_t last = k + MAX_SLIDING_NEIGHBOURS < h->count ? k + MAX_SLIDING_NEIGHBOURS : h->count;
    packed = 0;
    for (int64_t j = k; j <= last; ++j) {
        const int64_t limit = j < h->count ? h->low[j] : h->height;
        s->numbers[found++] = down(limit - packed - h->bytes, h->align);
        s->numbers[found++] = down(limit - packed - on, h->align);
        if (j == h->count || h->is_fixed[j]) {
            break;
        }
        packed += up(h->high[j] - h->low[j], h->align);
    }
    qsort(s->numbers, (size_t)found, sizeof *s->numbers, compare_numbers);
    int64_t kept = 0;
    for (int64_t i = 0; i < found; ++i) {
        const int64_t address = s->numbers[i];
        if (address >= 0 && address <= h->height - h->bytes && (kept == 0 || s->numbers[kept - 1] != address)) {
            s->numbers[kept++] = address;
        }
    }
    return kept;
}

/* The outermost occupant moves first, so that each finds free bytes where it goes. */
static void reverse(step* steps, int64_t count) {
    for (int64_t i = 0; i < count / 2; ++i) {
        const step swapped = steps[i];
        steps[i] = steps[count - 1 - i];
        steps[count - 1 - i] = swapped;
    }
}

/* Moves occupants below k down as far as they must, so that `address` is free from there. Returns the bytes moved, or -1. */
static int64_t slide_down(search* s, int64_t k, int64_t address, int64_t* count) {
    const occupants* h = s->here;
    int64_t moved = 0;
    int64_t limit = address;
    for (int64_t j = k - 1; j >= 0 && h->high[j] > limit; --j) {
        const int64_t to = h->low[j] - up(h->high[j] - limit, h->align);
        if (h->is_fixed[j] || to < 0) {
            return -1;
        }
        const step moving = {j, to};
        s->steps[(*count)++] = moving;
        moved += h->high[j] - h->low[j];
        if (moved > s->most_bytes) {
            return -1;
        }
        limit = to;
    }
    reverse(s->steps, *count);
    return moved;
}

/* Puts the newcomer at `address` between occupants k - 1 and k, which slide apart. */
static void slide(search* s, int64_t k, int64_t address) {
    const occupants* h = s->here;
    int64_t count = 0;
    int64_t moved = slide_down(s, k, address, &count);
    if (moved < 0) {
        return;
    }
    const int64_t below = count;
    const int64_t end = address + h->bytes;
    int64_t free_from = 0;
    for (int64_t j = k; j < h->count; ++j) {
        int64_t least = end > free_from ? end : free_from;
        if (h->low[j] >= least) {
            break;
        }
        if (h->lie_on[j] > 0) {
            least = address + h->lie_on[j] > free_from ? address + h->lie_on[j] : free_from;
        } else if (h->lie_on[j] == 0 && h->low[j] == address && free_from <= address) {
            free_from = h->high[j];
            continue;
        }
        const int64_t to = h->low[j] + (least > h->low[j] ? up(least - h->low[j], h->align) : 0);
        if (to != h->low[j]) {
            if (h->is_fixed[j]) {
                return;
            }
            const step moving = {j, to};
            s->steps[count++] = moving;
            moved += h->high[j] - h->low[j];
            if (moved > s->most_bytes) {
                return;
            }
        }
        free_from = to + h->high[j] - h->low[j];
    }
    if ((end > free_from ? end : free_from) <= h->height) {
        reverse(s->steps + below, count - below);
        keep(s, moved, address, count);
    }
}

static void slides(search* s) {
    for (int64_t k = 0; k <= s->here->count && !s->failed; ++k) {
        if (s->here->at != UNPLACED) {
            slide(s, k, s->here->at);
            continue;
        }
        const int64_t found = between(s, k);
        for (int64_t i = 0; i < found; ++i) {
            slide(s, k, s->numbers[i]);
        }
    }
}

/* ---- Steps aside ---- */

static int may_share(const occupants* h, int64_t j, int64_t address) {
    const int64_t distance = h->lie_on[j];
    return distance > 0 ? address <= h->low[j] - distance : distance == 0 && address == h->low[j];
}

/* The free bytes around all occupants and a newcomer at `address`, as pairs in `gaps`. Returns how many. */
static int64_t find_gaps(const occupants* h, int64_t address, int64_t* gaps) {
    int64_t found = 0;
    int64_t free_from = 0;
    int newcomer_waits = 1;
    for (int64_t j = 0; j <= h->count;) {
        int64_t low = j < h->count ? h->low[j] : h->height;
        int64_t high = j < h->count ? h->high[j] : h->height;
        if (newcomer_waits && (j == h->count || address < low)) {
            low = address;
            high = address + h->bytes;
            newcomer_waits = 0;
        } else {
            ++j;
        }
        if (low > free_from) {
            gaps[2 * found] = free_from;
            gaps[2 * found++ + 1] = low;
        }
        free_from = high > free_from ? high : free_from;
    }
    return found;
}

/* The tightest of the gaps into which occupant j fits, the lowest of equals; -1 if there is none. */
static int64_t tightest(const occupants* h, int64_t j, const int64_t* gaps, int64_t count) {
    int64_t best = -1;
    for (int64_t g = 0; g < count; ++g) {
        const int64_t low = gaps[2 * g];
        const int64_t high = gaps[2 * g + 1];
        if (congruent(low, h->low[j], h->align) + h->high[j] - h->low[j] > high) {
            continue;
        }
        const int64_t size = best < 0 ? 0 : gaps[2 * best + 1] - gaps[2 * best];
        if (best < 0 || high - low < size || (high - low == size && low < gaps[2 * best])) {
            best = g;
        }
    }
    return best;
}

/* Whether occupant a steps aside before b: the larger one first, then by key. */
static int goes_first(const occupants* h, int64_t a, int64_t b) {
    const int64_t more = (h->high[a] - h->low[a]) - (h->high[b] - h->low[b]);
    if (more != 0) {
        return more > 0;
    }
    return h->body[a] != h->body[b] ? h->body[a] < h->body[b] : h->span[a] < h->span[b];
}

/* Puts the newcomer at `address`. Occupants in the way go to the tightest gap elsewhere, the largest first. */
static void step_aside(search* s, int64_t address, int64_t* gaps) {
    const occupants* h = s->here;
    int64_t way[MAX_STEPPING_ASIDE];
    int64_t count = 0;
    int64_t moved = 0;
    for (int64_t j = 0; j < h->count && h->low[j] < address + h->bytes; ++j) {
        if (address >= h->high[j] || may_share(h, j, address)) {
            continue;
        }
        moved += h->high[j] - h->low[j];
        if (count == MAX_STEPPING_ASIDE || h->is_fixed[j] || moved > s->most_bytes) {
            return;
        }
        int64_t k = count++;
        for (; k > 0 && goes_first(h, j, way[k - 1]); --k) {
            way[k] = way[k - 1];
        }
        way[k] = j;
    }
    const int64_t found = count > 0 ? find_gaps(h, address, gaps) : 0;
    for (int64_t k = 0; k < count; ++k) {
        const int64_t g = tightest(h, way[k], gaps, found);
        if (g < 0) {
            return;
        }
        const step moving = {way[k], congruent(gaps[2 * g], h->low[way[k]], h->align)};
        s->steps[k] = moving;
        gaps[2 * g] = moving.to + h->high[way[k]] - h->low[way[k]];
    }
    keep(s, moved, address, count);
}

static void asides(search* s) {
    const occupants* h = s->here;
    int64_t* ends = s->numbers;
    int64_t* gaps = ends + 4 * h->count + 2;
    int64_t found = 0;
    if (h->at != UNPLACED) {
        ends[found++] = h->at;
    } else {
        ends[found++] = 0;
        ends[found++] = down(h->height - h->bytes, h->align);
        for (int64_t j = 0; j < h->count; ++j) {
            ends[found++] = up(h->high[j], h->align);
            ends[found++] = down(h->low[j] - h->bytes, h->align);
            ends[found++] = down(h->low[j], h->align);
            if (h->lie_on[j] >= 0) {
                ends[found++] = down(h->low[j] - h->lie_on[j], h->align);
            }
        }
        qsort(ends, (size_t)found, sizeof *ends, compare_numbers);
    }
    for (int64_t i = 0; i < found && !s->failed; ++i) {
        if (ends[i] >= 0 && ends[i] <= h->height - h->bytes && (i == 0 || ends[i] != ends[i - 1])) {
            step_aside(s, ends[i], gaps);
        }
    }
}

/* ---- All rooms ---- */

/* Whether room a comes before b: by bytes moved, address, then by key and new address of what moves. */
static int comes_first(const occupants* h, const room* a, const room* b) {
    if (a->moved_bytes != b->moved_bytes) {
        return a->moved_bytes < b->moved_bytes;
    }
    if (a->address != b->address) {
        return a->address < b->address;
    }
    for (int64_t k = 0; k < a->count && k < b->count; ++k) {
        const step x = a->steps[k];
        const step y = b->steps[k];
        const int64_t left[3] = {h->body[x.who], h->span[x.who], x.to};
        const int64_t right[3] = {h->body[y.who], h->span[y.who], y.to};
        for (int i = 0; i < 3; ++i) {
            if (left[i] != right[i]) {
                return left[i] < right[i];
            }
        }
    }
    return a->count < b->count;
}

/* The `most` rooms that move the fewest bytes, best first: the address of each and where its steps end. The steps of all go
 * to `who` and `to`, which have room for `most` times all occupants. Returns how many, or -1 if there is no memory. */
int64_t tflm_split_rooms(const occupants* here, int64_t most, int64_t* address, int64_t* end, int64_t* who, int64_t* to) {
    const int64_t n = here->count;
    search s = {.here = here, .most = most, .most_bytes = INT64_MAX};
    s.steps = malloc((size_t)(n + MAX_STEPPING_ASIDE + 1) * sizeof *s.steps);
    s.numbers = malloc((size_t)(6 * n + 4 * MAX_SLIDING_NEIGHBOURS + 12) * sizeof *s.numbers);
    s.fewest = malloc((size_t)most * sizeof *s.fewest);
    s.failed = s.steps == NULL || s.numbers == NULL || s.fewest == NULL;
    if (!s.failed) {
        slides(&s);
        asides(&s);
    }
    int64_t found = 0;
    int64_t moves = 0;
    for (; !s.failed && found < most && found < s.count; ++found) {
        int64_t best = found;
        for (int64_t k = found + 1; k < s.count; ++k) {
            best = comes_first(here, &s.rooms[k], &s.rooms[best]) ? k : best;
        }
        const room chosen = s.rooms[best];
        s.rooms[best] = s.rooms[found];
        s.rooms[found] = chosen;
        for (int64_t k = 0; k < chosen.count; ++k) {
            who[moves] = chosen.steps[k].who;
            to[moves++] = chosen.steps[k].to;
        }
        address[found] = chosen.address;
        end[found] = moves;
    }
    for (int64_t k = 0; k < s.count; ++k) {
        free(s.rooms[k].steps);
    }
    free(s.rooms);
    free(s.steps);
    free(s.numbers);
    free(s.fewest);
    return s.failed ? -1 : found;
}
