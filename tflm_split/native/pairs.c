/* Distances of plan/first_fit.py, but faster: which relative addresses are forbidden, for each pair of bodies whose
 * lifetimes overlap. The pairs and their order are the same; tests compare both. Plain C99. */
#include "pairs.h"

#include <stdlib.h>

/* A forbidden interval of body `b`, measured from the address of body `c`, which comes later. */
typedef struct interval {
    int32_t b;
    int32_t c;
    int32_t low;
    int32_t high;
} interval;

typedef struct intervals {
    interval* list;
    int64_t count;
    int64_t room;
} intervals;

static int grow(intervals* found, int64_t more) {
    if (found->count + more <= found->room) {
        return 0;
    }
    const int64_t room = 2 * found->room + more + 64;
    interval* grown = realloc(found->list, (size_t)room * sizeof *grown);
    if (grown == NULL) {
        return -1;
    }
    found->list = grown;
    found->room = room;
    return 0;
}

/* The distance of the leeway by which `written` may overlap `read`, -1 if there is none. */
static int64_t leeway(const bodies* all, int64_t written, int64_t read) {
    int64_t distance = -1;
    for (int64_t k = all->first_leeway[written]; k < all->first_leeway[written + 1]; ++k) {
        if (all->read[k] == read) {
            distance = all->distance[k];
        }
    }
    return distance;
}

static int add(intervals* found, int64_t b, int64_t c, int64_t low, int64_t high) {
    if (grow(found, 1) != 0) {
        return -1;
    }
    const interval made = {(int32_t)b, (int32_t)c, (int32_t)low, (int32_t)high};
    found->list[found->count++] = made;
    return 0;
}

/* Sorts `count` intervals by `low`. */
static void sort(interval* list, int64_t count) {
    static const int64_t gaps[] = {1750, 701, 301, 132, 57, 23, 10, 4, 1};
    for (size_t g = 0; g < sizeof gaps / sizeof *gaps; ++g) {
        for (int64_t k = gaps[g]; k < count; ++k) {
            const interval moving = list[k];
            int64_t j = k;
            for (; j >= gaps[g] && list[j - gaps[g]].low > moving.low; j -= gaps[g]) {
                list[j] = list[j - gaps[g]];
            }
            list[j] = moving;
        }
    }
}

/* Joins the intervals from `first` on, which are of one pair of bodies, where they overlap. */
static void merge(intervals* found, int64_t first) {
    if (found->count <= first + 1) {
        return;
    }
    interval* list = found->list;
    sort(list + first, found->count - first);
    int64_t kept = first;
    for (int64_t k = first + 1; k < found->count; ++k) {
        if (list[k].low < list[kept].high) {
            list[kept].high = list[k].high > list[kept].high ? list[k].high : list[kept].high;
        } else {
            list[++kept] = list[k];
        }
    }
    found->count = kept + 1;
}

/* Adds what span i of body b and span j of body c forbid b, measured from c. `on` and `under` are the leeways by which b may
 * lie on c and c on b. */
static int add_spans(const bodies* all, intervals* found, int64_t b, int64_t c, int64_t i, int64_t j, int64_t on,
                     int64_t under) {
    const int64_t same = all->offset[j] - all->offset[i];
    int64_t low = same - all->bytes[i];
    int64_t high = same + all->bytes[j];
    if (on > 0 && same - on > low) {
        low = same - on;
    }
    if (under > 0 && same + under < high) {
        high = same + under;
    }
    if (on == 0 || under == 0) { /* one single address inside the interval is allowed, which is cut in two there */
        return add(found, b, c, low, same) != 0 || add(found, b, c, same, high) != 0 ? -1 : 0;
    }
    return add(found, b, c, low, high);
}

/* Adds the intervals of b with c, where c comes later. */
static int add_pair(const bodies* all, intervals* found, int64_t b, int64_t c) {
    const int64_t first = found->count;
    int64_t on = -2;
    int64_t under = -2;
    for (int64_t i = all->first_span[b]; i < all->first_span[b + 1]; ++i) {
        for (int64_t j = all->first_span[c]; j < all->first_span[c + 1]; ++j) {
            const int apart = all->start[i] >= all->stop[j] || all->start[j] >= all->stop[i];
            if (apart || all->bytes[i] == 0 || all->bytes[j] == 0 || all->start[i] >= all->stop[i] ||
                all->start[j] >= all->stop[j]) {
                continue;
            }
            if (on == -2) {
                on = leeway(all, b, c);
                under = leeway(all, c, b);
            }
            if (add_spans(all, found, b, c, i, j, on, under) != 0) {
                return -1;
            }
        }
    }
    merge(found, first);
    return 0;
}

/* What says at once which bodies meet. Spans without bytes are left out. */
typedef struct life {
    int64_t born; /* the first start and the last stop of its spans */
    int64_t dies;
    int32_t plain;  /* whether it has one span and no leeways */
    int32_t offset; /* of that span */
    int32_t bytes;
} life;

static life find_life(const bodies* all, int64_t b) {
    life of = {INT64_MAX, INT64_MIN, 0, 0, 0};
    int64_t spans = 0;
    for (int64_t i = all->first_span[b]; i < all->first_span[b + 1]; ++i) {
        if (all->bytes[i] > 0 && all->start[i] < all->stop[i]) {
            of.born = all->start[i] < of.born ? all->start[i] : of.born;
            of.dies = all->stop[i] > of.dies ? all->stop[i] : of.dies;
            of.offset = (int32_t)all->offset[i];
            of.bytes = (int32_t)all->bytes[i];
            ++spans;
        }
    }
    of.plain = spans == 1 && all->first_leeway[b] == all->first_leeway[b + 1];
    return of;
}

/* All intervals, by (b, c, low). `met` is scratch for as many numbers as there are bodies. */
static int find_intervals(const bodies* all, const life* lives, int64_t* met, intervals* found) {
    for (int64_t b = 0; b < all->count; ++b) {
        const life mine = lives[b];
        int64_t count = 0;
        for (int64_t c = b + 1; c < all->count; ++c) { /* without a branch, which would often be predicted wrongly */
            met[count] = c;
            count += (mine.born < lives[c].dies) & (lives[c].born < mine.dies);
        }
        for (int64_t k = 0; k < count; ++k) {
            const life* other = lives + met[k];
            if (grow(found, 1) != 0) {
                return -1;
            }
            if (mine.plain && other->plain) {
                const int32_t same = other->offset - mine.offset;
                const interval made = {(int32_t)b, (int32_t)met[k], same - mine.bytes, same + other->bytes};
                found->list[found->count++] = made;
            } else if (add_pair(all, found, b, met[k]) != 0) {
                return -1;
            }
        }
    }
    return 0;
}

/* Puts interval `from` into the lists of both bodies, at these places. */
static void list_both(pair_list* list, const interval* from, int64_t own, int64_t mirrored) {
    const pair here = {from->c, from->low, from->high, (int32_t)mirrored};
    const pair there = {from->b, -from->high, -from->low, (int32_t)own};
    list->pairs[own] = here;
    list->pairs[mirrored] = there;
}

/* Puts all intervals into the lists of their bodies. The mirror images of a pair come in the opposite order. */
static void list_pairs(const intervals* found, pair_list* list, int64_t body_count, int64_t* next) {
    const interval* all = found->list;
    for (int64_t k = 0; k < found->count; ++k) {
        ++list->first[all[k].b + 1];
        ++list->first[all[k].c + 1];
    }
    for (int64_t b = 0; b < body_count; ++b) {
        list->first[b + 1] += list->first[b];
        next[b] = list->first[b];
    }
    for (int64_t k = 0; k < found->count;) {
        const int64_t b = all[k].b;
        const int64_t c = all[k].c;
        int64_t stop = k + 1;
        while (stop < found->count && all[stop].c == c && all[stop].b == b) {
            ++stop;
        }
        /* When a body's own pairs are reached, those with earlier bodies are in its list already. */
        const int64_t own = next[b];
        const int64_t mirrored = next[c] + stop - k - 1;
        next[b] += stop - k;
        next[c] += stop - k;
        for (int64_t i = 0; k < stop; ++i, ++k) {
            list_both(list, all + k, own + i, mirrored - i);
        }
    }
}

/* All pairs. `lives` and `next` have room for all bodies. */
static int list_all(const bodies* all, life* lives, int64_t* next, intervals* found, pair_list* list) {
    for (int64_t b = 0; b < all->count; ++b) {
        lives[b] = find_life(all, b);
    }
    if (find_intervals(all, lives, next, found) != 0 || found->count > INT32_MAX / 2) {
        return -1;
    }
    list->count = 2 * found->count;
    list->pairs = malloc((size_t)(list->count + 1) * sizeof *list->pairs);
    if (list->pairs == NULL) {
        return -1;
    }
    list_pairs(found, list, all->count, next);
    return 0;
}

int64_t tflm_split_list_pairs(const bodies* all, pair_list* list) {
    const pair_list none = {.first = NULL};
    const size_t count = (size_t)all->count + 1;
    intervals found = {NULL, 0, 0};
    *list = none;
    list->first = calloc(count, sizeof *list->first);
    life* lives = malloc(count * sizeof *lives);
    int64_t* next = malloc(count * sizeof *next);
    const int there = list->first != NULL && lives != NULL && next != NULL;
    const int failed = !there || list_all(all, lives, next, &found, list) != 0;
    free(lives);
    free(next);
    free(found.list);
    if (failed) {
        tflm_split_free_pairs(list);
    }
    return failed ? -1 : 0;
}

int64_t tflm_split_free_pairs(pair_list* list) {
    const pair_list none = {.first = NULL};
    free(list->first);
    free(list->pairs);
    *list = none;
    return 0;
}
