/* The step graph of schedule/step_builder.py, but faster. It has the same steps and pieces in the same order; tests compare
 * both. Streamed inputs and outputs are left to Python. Plain C99. */
#include <stdlib.h>

#include "steps.h"

/* Bytes of a row that a view touches (`Part` in step_builder.py). Part 0 is whole. */
typedef struct part {
    int64_t stride; /* 0: the whole row */
    int64_t low;
    int64_t high;
    int64_t start;
    int64_t stop;
} part;

/* An operand of a row op. Step s reads rows rows[first_row[s]] .. rows[first_row[s + 1] - 1]. */
typedef struct operand {
    int64_t piece; /* of row 0 */
    int64_t part;
    int64_t distance;
    int64_t shared; /* bytes, -1 if the output row may not lie over it */
    const int64_t* first_row;
    const int64_t* rows;
} operand;

typedef struct row_op {
    int64_t node;
    int64_t steps;
    int64_t output; /* the piece of its row 0 */
    int64_t part;
    int64_t accumulator; /* its bytes, -1 if it does not accumulate */
    int64_t sums;        /* the piece of their row 0, -1 if it reads none */
    int64_t over_sums;   /* bytes that the output row shares with the sums it replaces, -1 if it may not */
    int64_t first_operand;
    int64_t operands;
} row_op;

/* Pieces start .. stop - 1. */
typedef struct range {
    int64_t start;
    int64_t stop;
} range;

/* An operator that stays stock: ranges of the pieces that it reads and writes, and the bytes of its scratch. */
typedef struct stock {
    int64_t node;
    int64_t scratch;
    int64_t first_read;
    int64_t first_write;
    int64_t end;
} stock;

/* A split graph (schedule/step_builder_c.py). */
typedef struct split {
    int64_t nodes;
    int64_t storages;
    int64_t parts;
    int64_t row_ops;
    int64_t stocks;
    int64_t fixed;
    int64_t initial;
    int64_t final;
    int64_t crossing;
    const int64_t* rows; /* by storage */
    const int64_t* row_bytes;
    const part* part;
    const row_op* row_op;
    const operand* operand;
    const stock* stock;
    const range* stock_pieces;
    const range* fixed_pieces; /* pieces that may not be written over, nor over others */
    const range* initial_pieces;
    const range* final_pieces;
    const range* crossing_pieces;
} split;

typedef struct numbers {
    int64_t* at;
    int64_t count;
    int64_t room;
    int failed;
} numbers;

static void push(numbers* list, int64_t value) {
    if (list->count == list->room) {
        const int64_t room = 2 * list->room + 256;
        int64_t* grown = realloc(list->at, (size_t)room * sizeof *grown);
        if (grown == NULL) {
            list->failed = 1;
            return;
        }
        list->at = grown;
        list->room = room;
    }
    list->at[list->count++] = value;
}

/* What is built. Its lists are its own. */
enum {
    FIRST_DEPENDS,
    DEPENDS,
    FIRST_READ,
    READS,
    FIRST_WRITE,
    WRITES,
    FIRST_OVERLAP,
    OVERLAP_READ,
    OVERLAP_WRITTEN,
    OVERLAP_DISTANCE,
    OVERLAP_SHARED,
    NODE,
    ROW_OP,
    ROW,
    FIRST_STEP,
    STEPS_OF,
    FIRST_NEEDS,
    NEEDS,
    BYTES,
    PIECE_STORAGE,
    PIECE_ROW,
    FIRST_PRODUCER,
    PRODUCERS,
    FIRST_READER,
    READERS,
    SCRATCH,
    LISTS
};

typedef struct built {
    step_graph graph;
    numbers list[LISTS];
    double* share;
    uint8_t* flags; /* needed, initial, final: one after the other */
} built;

/* The building site. */
typedef struct site {
    const split* s;
    built* b;
    numbers touched_part; /* by entry of what steps write: the part; likewise by entry of what they read */
    numbers read_first;   /* by step: where its entries in `read_piece` begin */
    numbers read_piece;
    numbers read_part;
    int64_t* last_writer; /* by piece, -1 if there is none yet */
    uint8_t* fixed;
    int64_t* seen; /* by piece or by step, whichever are more */
} site;

static int64_t steps_so_far(const site* at) {
    return at->b->list[NODE].count;
}

static void add_piece(site* at, int64_t storage, int64_t row, int64_t bytes) {
    push(&at->b->list[PIECE_STORAGE], storage);
    push(&at->b->list[PIECE_ROW], row);
    push(&at->b->list[BYTES], bytes);
}

/* ---- Steps ---- */

static void begin_step(site* at, int64_t node, int64_t op, int64_t row) {
    numbers* list = at->b->list;
    push(&list[FIRST_READ], list[READS].count);
    push(&list[FIRST_WRITE], list[WRITES].count);
    push(&list[FIRST_OVERLAP], list[OVERLAP_READ].count);
    push(&list[FIRST_DEPENDS], list[DEPENDS].count);
    push(&at->read_first, at->read_piece.count);
    push(&list[NODE], node);
    push(&list[ROW_OP], op);
    push(&list[ROW], row);
}

/* The step under construction reads piece p. */
static void read_piece(site* at, int64_t p) {
    numbers* reads = &at->b->list[READS];
    for (int64_t k = at->b->list[FIRST_READ].at[steps_so_far(at) - 1]; k < reads->count; ++k) {
        if (reads->at[k] == p) {
            return;
        }
    }
    push(reads, p);
}

static void write_piece(site* at, int64_t p, int64_t part_of) {
    push(&at->b->list[WRITES], p);
    push(&at->touched_part, part_of);
    at->last_writer[p] = steps_so_far(at) - 1;
}

/* Adds an overlap to the step under construction, behind those that share as many bytes. */
static void add_overlap(site* at, int64_t read, int64_t written, int64_t distance, int64_t shared) {
    numbers* list = at->b->list;
    if (at->fixed[read] || at->fixed[written]) {
        return;
    }
    push(&list[OVERLAP_READ], read);
    push(&list[OVERLAP_WRITTEN], written);
    push(&list[OVERLAP_DISTANCE], distance);
    push(&list[OVERLAP_SHARED], shared);
    const int64_t first = list[FIRST_OVERLAP].at[steps_so_far(at) - 1];
    for (int64_t k = list[OVERLAP_SHARED].count - 1; k > first; --k) {
        if (list[OVERLAP_SHARED].at[k - 1] >= list[OVERLAP_SHARED].at[k]) {
            break;
        }
        for (int column = OVERLAP_READ; column <= OVERLAP_SHARED; ++column) {
            const int64_t swapped = list[column].at[k];
            list[column].at[k] = list[column].at[k - 1];
            list[column].at[k - 1] = swapped;
        }
    }
}

static void read_operands(site* at, const row_op* op, int64_t row, int64_t output) {
    for (int64_t k = 0; k < op->operands; ++k) {
        const operand* from = at->s->operand + op->first_operand + k;
        for (int64_t r = from->first_row[row]; r < from->first_row[row + 1]; ++r) {
            const int64_t p = from->piece + from->rows[r];
            read_piece(at, p);
            push(&at->read_piece, p);
            push(&at->read_part, from->part);
            if (from->shared >= 0) {
                add_overlap(at, p, output, from->distance, from->shared);
            }
        }
    }
}

/* One step of row op `index`, as `_Builder.add_rows`. */
static void add_row(site* at, int64_t index, int64_t row, int64_t accumulator) {
    const row_op* op = at->s->row_op + index;
    numbers* depends = &at->b->list[DEPENDS];
    const int accumulates = op->accumulator >= 0;
    const int64_t output = op->output + (accumulates ? 0 : row);
    begin_step(at, op->node, index, row);
    read_operands(at, op, row, output);
    if (accumulates && row > 0) {
        read_piece(at, accumulator);
        if (op->sums < 0) {
            push(depends, steps_so_far(at) - 2);
        }
    }
    if (op->sums >= 0) {
        read_piece(at, op->sums + row);
        if (at->last_writer[op->sums + row] >= 0) {
            push(depends, at->last_writer[op->sums + row]);
        }
        if (op->over_sums >= 0) {
            add_overlap(at, op->sums + row, op->output + row, 0, op->over_sums);
        }
    }
    if (!accumulates || row == op->steps - 1) {
        write_piece(at, output, op->part);
    }
    if (accumulates && row == 0) {
        write_piece(at, accumulator, 0);
    }
}

/* The one step of a stock operator. */
static void add_stock(site* at, const stock* of) {
    const int64_t scratch = at->s->storages + at->s->row_ops + of->node;
    const int64_t stamp = -2 - steps_so_far(at);
    begin_step(at, of->node, -1, 0);
    for (int64_t r = of->first_read; r < of->first_write; ++r) {
        for (int64_t p = at->s->stock_pieces[r].start; p < at->s->stock_pieces[r].stop; ++p) {
            if (at->seen[p] != stamp) {
                at->seen[p] = stamp;
                push(&at->b->list[READS], p);
                push(&at->read_piece, p);
                push(&at->read_part, 0);
            }
        }
    }
    for (int64_t r = of->first_write; r < of->end; ++r) {
        for (int64_t p = at->s->stock_pieces[r].start; p < at->s->stock_pieces[r].stop; ++p) {
            if (at->last_writer[p] != steps_so_far(at) - 1) {
                write_piece(at, p, 0);
            }
        }
    }
    if (of->scratch > 0) {
        push(&at->b->list[SCRATCH], scratch);
        add_piece(at, scratch, 0, of->scratch);
        write_piece(at, at->b->list[BYTES].count - 1, 0);
    }
}

static void add_steps(site* at) {
    const split* s = at->s;
    for (int64_t k = 0; k < s->storages; ++k) {
        for (int64_t r = 0; r < s->rows[k]; ++r) {
            add_piece(at, k, r, s->row_bytes[k]);
        }
    }
    for (int64_t k = 0; k < s->row_ops; ++k) {
        const int64_t accumulator = at->b->list[BYTES].count;
        if (s->row_op[k].accumulator >= 0) {
            add_piece(at, s->storages + k, 0, s->row_op[k].accumulator);
        }
        for (int64_t row = 0; row < s->row_op[k].steps; ++row) {
            add_row(at, k, row, accumulator);
        }
    }
    for (int64_t k = 0; k < s->stocks; ++k) {
        add_stock(at, s->stock + k);
    }
    numbers* list = at->b->list;
    push(&list[FIRST_READ], list[READS].count);
    push(&list[FIRST_WRITE], list[WRITES].count);
    push(&list[FIRST_OVERLAP], list[OVERLAP_READ].count);
    push(&at->read_first, at->read_piece.count);
}

/* ---- What follows from the steps ---- */

static int meet(const part* a, const part* b) {
    if (a->stride == 0 || b->stride == 0 || a->stride != b->stride) {
        return 1;
    }
    return a->low < b->high && b->low < a->high && a->start < b->stop && b->start < a->stop;
}

/* Lists, by value of `of`, the indices of the lists (`first_of`) in which it is. `of` has values below `count`. With
 * `entries`, they are the indices of the entries instead. */
static void invert(const numbers* first_of, const numbers* of, int64_t count, numbers* first, numbers* lists,
                   int entries) {
    for (int64_t k = 0; k <= count; ++k) {
        push(first, 0);
    }
    for (int64_t k = 0; k < of->count; ++k) {
        push(lists, 0);
    }
    if (first->failed || lists->failed) {
        return;
    }
    for (int64_t k = 0; k < of->count; ++k) {
        ++first->at[of->at[k] + 1];
    }
    for (int64_t k = 0; k < count; ++k) {
        first->at[k + 1] += first->at[k];
    }
    for (int64_t i = 0; i + 1 < first_of->count; ++i) {
        for (int64_t k = first_of->at[i]; k < first_of->at[i + 1]; ++k) {
            lists->at[first->at[of->at[k]]++] = entries ? k : i;
        }
    }
    for (int64_t k = count; k > 0; --k) {
        first->at[k] = first->at[k - 1];
    }
    first->at[0] = 0;
}

/* Adds the steps that write what step s reads to those that it depends on. `writes` are entries of WRITES, by piece. */
static void add_writers(site* at, int64_t s, const numbers* first, const numbers* writes, const int64_t* step_of,
                        numbers* depends, int64_t known) {
    const part* parts = at->s->part;
    for (int64_t k = depends->count - known; k < depends->count; ++k) {
        at->seen[depends->at[k]] = s;
    }
    for (int64_t e = at->read_first.at[s]; e < at->read_first.at[s + 1]; ++e) {
        const int64_t p = at->read_piece.at[e];
        for (int64_t x = first->at[p]; x < first->at[p + 1]; ++x) {
            const int64_t w = step_of[writes->at[x]];
            if (w != s && at->seen[w] != s &&
                meet(parts + at->read_part.at[e], parts + at->touched_part.at[writes->at[x]])) {
                at->seen[w] = s;
                push(depends, w);
            }
        }
    }
}

/* What each step depends on: what is known already, then those that write what it reads. */
static int find_depends(site* at) {
    numbers* list = at->b->list;
    const int64_t steps = steps_so_far(at);
    numbers first = {NULL, 0, 0, 0};
    numbers writes = {NULL, 0, 0, 0};
    const numbers known = list[DEPENDS];
    const numbers first_known = list[FIRST_DEPENDS];
    const numbers none = {NULL, 0, 0, 0};
    int64_t* step_of = malloc((size_t)(list[WRITES].count + 1) * sizeof *step_of);
    list[DEPENDS] = list[FIRST_DEPENDS] = none;
    invert(&list[FIRST_WRITE], &list[WRITES], list[BYTES].count, &first, &writes, 1);
    const int there = step_of != NULL && !first.failed && !writes.failed;
    for (int64_t s = 0; there && s < steps; ++s) {
        for (int64_t k = list[FIRST_WRITE].at[s]; k < list[FIRST_WRITE].at[s + 1]; ++k) {
            step_of[k] = s;
        }
        at->seen[s] = -1;
    }
    for (int64_t s = 0; there && s < steps; ++s) {
        const int64_t stop = s + 1 < steps ? first_known.at[s + 1] : known.count;
        push(&list[FIRST_DEPENDS], list[DEPENDS].count);
        for (int64_t k = first_known.at[s]; k < stop; ++k) {
            push(&list[DEPENDS], known.at[k]);
        }
        if (list[DEPENDS].failed) {
            break;
        }
        add_writers(at, s, &first, &writes, step_of, &list[DEPENDS], stop - first_known.at[s]);
    }
    push(&list[FIRST_DEPENDS], list[DEPENDS].count);
    free(first.at);
    free(writes.at);
    free(step_of);
    free(known.at);
    free(first_known.at);
    return there ? 0 : -1;
}

/* Marks the steps that some result needs. `stack` has room for all steps. */
static void find_needed(site* at, uint8_t* needed, int64_t* stack) {
    const numbers* list = at->b->list;
    const int64_t steps = steps_so_far(at);
    int64_t depth = 0;
    const range* ranges[2] = {at->s->final_pieces, at->s->crossing_pieces};
    const int64_t counts[2] = {at->s->final, at->s->crossing};
    for (int64_t s = 0; s < steps; ++s) {
        needed[s] = list[ROW_OP].at[s] < 0;
        if (needed[s]) {
            stack[depth++] = s;
        }
    }
    for (int kind = 0; kind < 2; ++kind) {
        for (int64_t r = 0; r < counts[kind]; ++r) {
            const int64_t from = list[FIRST_PRODUCER].at[ranges[kind][r].start];
            const int64_t to = list[FIRST_PRODUCER].at[ranges[kind][r].stop];
            for (int64_t k = from; k < to; ++k) {
                const int64_t s = list[PRODUCERS].at[k];
                if (!needed[s]) {
                    needed[s] = 1;
                    stack[depth++] = s;
                }
            }
        }
    }
    while (depth > 0) {
        const int64_t s = stack[--depth];
        for (int64_t k = list[FIRST_DEPENDS].at[s]; k < list[FIRST_DEPENDS].at[s + 1]; ++k) {
            const int64_t d = list[DEPENDS].at[k];
            if (!needed[d]) {
                needed[d] = 1;
                stack[depth++] = d;
            }
        }
    }
}

/* The nodes that each node's steps depend on, in order. */
static void find_needs(site* at) {
    numbers* list = at->b->list;
    for (int64_t n = 0; n < at->s->nodes; ++n) {
        at->seen[n] = -1;
    }
    for (int64_t n = 0; n < at->s->nodes; ++n) {
        push(&list[FIRST_NEEDS], list[NEEDS].count);
        for (int64_t x = list[FIRST_STEP].at[n]; x < list[FIRST_STEP].at[n + 1]; ++x) {
            const int64_t s = list[STEPS_OF].at[x];
            for (int64_t k = list[FIRST_DEPENDS].at[s]; k < list[FIRST_DEPENDS].at[s + 1]; ++k) {
                at->seen[list[NODE].at[list[DEPENDS].at[k]]] = n;
            }
        }
        for (int64_t other = 0; other < at->s->nodes; ++other) {
            if (other != n && at->seen[other] == n) {
                push(&list[NEEDS], other);
            }
        }
    }
    push(&list[FIRST_NEEDS], list[NEEDS].count);
}

static void mark(uint8_t* flags, const range* ranges, int64_t count) {
    for (int64_t r = 0; r < count; ++r) {
        for (int64_t p = ranges[r].start; p < ranges[r].stop; ++p) {
            flags[p] = 1;
        }
    }
}

static int find_the_rest(site* at) {
    built* b = at->b;
    numbers* list = b->list;
    const int64_t steps = steps_so_far(at);
    const int64_t pieces = list[BYTES].count;
    numbers first_node = {NULL, 0, 0, 0};
    for (int64_t s = 0; s <= steps; ++s) {
        push(&first_node, s);
    }
    invert(&list[FIRST_WRITE], &list[WRITES], pieces, &list[FIRST_PRODUCER], &list[PRODUCERS], 0);
    invert(&list[FIRST_READ], &list[READS], pieces, &list[FIRST_READER], &list[READERS], 0);
    if (!first_node.failed) {
        invert(&first_node, &list[NODE], at->s->nodes, &list[FIRST_STEP], &list[STEPS_OF], 0);
    }
    free(first_node.at);
    b->share = malloc((size_t)(steps + 1) * sizeof *b->share);
    b->flags = calloc((size_t)(steps + 2 * pieces + 1), 1);
    if (find_depends(at) != 0 || b->share == NULL || b->flags == NULL || first_node.failed || list[STEPS_OF].failed ||
        list[PRODUCERS].failed || list[READERS].failed || list[DEPENDS].failed || list[FIRST_DEPENDS].failed) {
        return -1;
    }
    for (int64_t s = 0; s < steps; ++s) {
        const int64_t op = list[ROW_OP].at[s];
        b->share[s] = op < 0 ? 1.0 : (double)(list[ROW].at[s] + 1) / (double)at->s->row_op[op].steps;
    }
    find_needed(at, b->flags, at->seen);
    find_needs(at);
    mark(b->flags + steps, at->s->initial_pieces, at->s->initial);
    mark(b->flags + steps + pieces, at->s->final_pieces, at->s->final);
    return 0;
}

static void point(built* b, int64_t nodes) {
    const numbers* list = b->list;
    const int64_t steps = list[NODE].count;
    const int64_t pieces = list[BYTES].count;
    const step_graph made = {
        nodes,
        steps,
        pieces,
        list[FIRST_DEPENDS].at,
        list[DEPENDS].at,
        list[FIRST_READ].at,
        list[READS].at,
        list[FIRST_WRITE].at,
        list[WRITES].at,
        list[FIRST_OVERLAP].at,
        list[OVERLAP_READ].at,
        list[OVERLAP_WRITTEN].at,
        list[OVERLAP_SHARED].at,
        list[NODE].at,
        list[FIRST_STEP].at,
        list[STEPS_OF].at,
        list[FIRST_NEEDS].at,
        list[NEEDS].at,
        b->share,
        b->flags,
        list[BYTES].at,
        b->flags + steps,
        b->flags + steps + pieces,
    };
    b->graph = made;
}

int64_t tflm_split_free_graph(built* b) {
    if (b != NULL) {
        for (int k = 0; k < LISTS; ++k) {
            free(b->list[k].at);
        }
        free(b->share);
        free(b->flags);
        free(b);
    }
    return 0;
}

static int is_complete(const site* at) {
    int failed = at->touched_part.failed | at->read_first.failed | at->read_piece.failed | at->read_part.failed;
    for (int k = 0; k < LISTS; ++k) {
        failed |= at->b->list[k].failed;
    }
    return !failed;
}

/* How many pieces there will be, or steps, whichever are more. */
static int64_t most_numbers(const split* s) {
    int64_t pieces = s->row_ops + s->stocks + 1;
    int64_t steps = s->stocks + s->nodes + 1;
    for (int64_t k = 0; k < s->storages; ++k) {
        pieces += s->rows[k];
    }
    for (int64_t k = 0; k < s->row_ops; ++k) {
        steps += s->row_op[k].steps;
    }
    return pieces > steps ? pieces : steps;
}

/* The step graph of `s`, to be given back to tflm_split_free_graph(); NULL if there is no memory. */
built* tflm_split_build_graph(const split* s) {
    const int64_t most = most_numbers(s);
    site at = {.s = s, .b = calloc(1, sizeof(built))};
    at.last_writer = malloc((size_t)most * sizeof *at.last_writer);
    at.seen = malloc((size_t)most * sizeof *at.seen);
    at.fixed = calloc((size_t)most, 1);
    int done = 0;
    if (at.b != NULL && at.last_writer != NULL && at.seen != NULL && at.fixed != NULL) {
        for (int64_t k = 0; k < most; ++k) {
            at.last_writer[k] = at.seen[k] = -1;
        }
        mark(at.fixed, s->fixed_pieces, s->fixed);
        add_steps(&at);
        done = is_complete(&at) && find_the_rest(&at) == 0 && is_complete(&at);
    }
    free(at.last_writer);
    free(at.seen);
    free(at.fixed);
    free(at.touched_part.at);
    free(at.read_first.at);
    free(at.read_piece.at);
    free(at.read_part.at);
    if (!done) {
        tflm_split_free_graph(at.b);
        return NULL;
    }
    point(at.b, s->nodes);
    return at.b;
}
