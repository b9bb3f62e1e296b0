/* Distances of plan/first_fit.py, but faster: which relative addresses are forbidden, for each pair of bodies whose
 * lifetimes overlap. The pairs and their order are the same; tests compare both. Plain C99. */
#include "pairs.h"

#include <stdlib.h>

static int grow(pair_list* list, int64_t more) {
    if (list->count + more <= list->room) {
        return 0;
    }
    const int64_t room = 2 * list->room + more + 64;
    int64_t** columns[4] = {&list->body, &list->low, &list->high, &list->twin};
    for (int c = 0; c < 4; ++c) {
        int64_t* grown = realloc(*columns[c], (size_t)room * sizeof **columns[c]);
        if (grown == NULL) {
            return -1;
        }
        *columns[c] = grown;
    }
    list->room = room;
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

static int add(pair_list* list, int64_t other, int64_t low, int64_t high) {
    if (grow(list, 1) != 0) {
        return -1;
    }
    list->body[list->count] = other;
    list->low[list->count] = low;
    list->high[list->count++] = high;
    return 0;
}

/* Sorts the intervals from `first` on by `low`. */
static void sort(pair_list* list, int64_t first) {
    static const int64_t gaps[] = {1750, 701, 301, 132, 57, 23, 10, 4, 1};
    for (size_t g = 0; g < sizeof gaps / sizeof *gaps; ++g) {
        for (int64_t k = first + gaps[g]; k < list->count; ++k) {
            const int64_t low = list->low[k];
            const int64_t high = list->high[k];
            int64_t j = k;
            for (; j >= first + gaps[g] && list->low[j - gaps[g]] > low; j -= gaps[g]) {
                list->low[j] = list->low[j - gaps[g]];
                list->high[j] = list->high[j - gaps[g]];
            }
            list->low[j] = low;
            list->high[j] = high;
        }
    }
}

/* Joins the intervals of the pair that begins at `first` where they overlap. */
static void merge(pair_list* list, int64_t first) {
    if (list->count <= first + 1) {
        return;
    }
    sort(list, first);
    int64_t kept = first;
    for (int64_t k = first + 1; k < list->count; ++k) {
        if (list->low[k] < list->high[kept]) {
            list->high[kept] = list->high[k] > list->high[kept] ? list->high[k] : list->high[kept];
        } else {
            ++kept;
            list->low[kept] = list->low[k];
            list->high[kept] = list->high[k];
        }
    }
    list->count = kept + 1;
}

/* Adds what span i of body b and span j of body c forbid b, measured from c. `on` and `under` are the leeways by which b may
 * lie on c and c on b. */
static int add_spans(const bodies* all, pair_list* list, int64_t c, int64_t i, int64_t j, int64_t on, int64_t under) {
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
        return add(list, c, low, same) != 0 || add(list, c, same, high) != 0 ? -1 : 0;
    }
    return add(list, c, low, high);
}

/* Adds the pairs of b with c, where c comes later. */
static int add_pair(const bodies* all, pair_list* list, int64_t b, int64_t c) {
    const int64_t first = list->count;
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
            if (add_spans(all, list, c, i, j, on, under) != 0) {
                return -1;
            }
        }
    }
    merge(list, first);
    return 0;
}

/* Adds the pairs of b with c, where c came earlier: the mirror image of those from `*next` on, which are of c with b. */
static int add_mirrored(pair_list* list, int64_t b, int64_t c, int64_t* next) {
    int64_t stop = *next;
    while (stop < list->first[c + 1] && list->body[stop] == b) {
        ++stop;
    }
    if (grow(list, stop - *next) != 0) {
        return -1;
    }
    for (int64_t k = stop; k-- > *next;) {
        list->body[list->count] = c;
        list->low[list->count] = -list->high[k];
        list->high[list->count] = -list->low[k];
        list->twin[list->count] = k;
        list->twin[k] = list->count++;
    }
    *next = stop;
    return 0;
}

/* A body's lifetime from its first start to its last stop, spans without bytes left out. */
static void whole_lives(const bodies* all, int64_t* born, int64_t* dies) {
    for (int64_t b = 0; b < all->count; ++b) {
        born[b] = INT64_MAX;
        dies[b] = INT64_MIN;
        for (int64_t i = all->first_span[b]; i < all->first_span[b + 1]; ++i) {
            if (all->bytes[i] > 0 && all->start[i] < all->stop[i]) {
                born[b] = all->start[i] < born[b] ? all->start[i] : born[b];
                dies[b] = all->stop[i] > dies[b] ? all->stop[i] : dies[b];
            }
        }
    }
}

static int list_all(const bodies* all, pair_list* list, int64_t* next, const int64_t* born, const int64_t* dies) {
    for (int64_t b = 0; b < all->count; ++b) {
        list->first[b] = list->count;
        for (int64_t c = 0; c < b; ++c) {
            if (born[b] < dies[c] && born[c] < dies[b] && next[c] < list->first[c + 1] && list->body[next[c]] == b &&
                add_mirrored(list, b, c, &next[c]) != 0) {
                return -1;
            }
        }
        next[b] = list->count;
        for (int64_t c = b + 1; c < all->count; ++c) {
            if (born[b] < dies[c] && born[c] < dies[b] && add_pair(all, list, b, c) != 0) {
                return -1;
            }
        }
        list->first[b + 1] = list->count;
    }
    return 0;
}

int64_t tflm_split_list_pairs(const bodies* all, pair_list* list) {
    const pair_list none = {.first = NULL};
    *list = none;
    list->first = calloc((size_t)all->count + 1, sizeof *list->first);
    int64_t* next = malloc(((size_t)all->count * 3 + 1) * sizeof *next);
    int failed = list->first == NULL || next == NULL;
    if (!failed) {
        int64_t* born = next + all->count;
        whole_lives(all, born, born + all->count);
        failed = list_all(all, list, next, born, born + all->count);
    }
    free(next);
    if (failed) {
        tflm_split_free_pairs(list);
    }
    return failed ? -1 : 0;
}

int64_t tflm_split_free_pairs(pair_list* list) {
    int64_t* columns[5] = {list->first, list->body, list->low, list->high, list->twin};
    for (int c = 0; c < 5; ++c) {
        free(columns[c]);
    }
    const pair_list none = {.first = NULL};
    *list = none;
    return 0;
}
