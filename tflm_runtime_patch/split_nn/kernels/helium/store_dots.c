/* Dot products of a run of bytes with many filters, four filters at a time, straight to int8, on MVE. The run stays in
 * registers as far as there are any, and so do the sums. Stack: below 200 bytes. */
#include "../target.h"

#if defined(SPLIT_NN_MVE)

#include "helium.h"

/* The compiler must not compute addresses of later vectors from here: it would run out of registers. */
#define STEP(pointer, bytes)                  \
    do {                                      \
        (pointer) += (bytes);                 \
        __asm__ volatile("" : "+r"(pointer)); \
    } while (0)

/* The four sums side by side. The compiler would move them one by one. */
SPLIT_ALWAYS_INLINE int32x4_t joined(int32_t sum0, int32_t sum1, int32_t sum2, int32_t sum3) {
    int32x4_t sums;
    __asm__("vmov %e0, %1, %2\n\tvmov %f0, %3, %4" : "=&w"(sums) : "r"(sum0), "r"(sum1), "r"(sum2), "r"(sum3));
    return sums;
}

/* A run of bytes, of which the last vector may overlap the one before it. */
typedef struct run {
    int8x16_t held0, held1, held2, held3, held4, last;
    const int8_t* rest; /* vectors that are loaded again for each filter */
} run;

/* Loads a vector and goes on to the next one. */
SPLIT_ALWAYS_INLINE int8x16_t next_vector(const int8_t** at) {
    const int8x16_t vector = vldrbq_s8(*at);
    STEP(*at, SPLIT_MVE_BYTES);
    return vector;
}

/* The dot product with one filter, in `vectors` vectors, of which the last begins `overlap` bytes before the end of the one
 * before it. Goes on to the next filter. */
SPLIT_ALWAYS_INLINE int32_t dot(const run* values, int32_t vectors, int32_t overlap, const int8_t** weights) {
    if (vectors == 1) {
        return vmladavq_s8(values->last, next_vector(weights));
    }
    int32_t sum = vmladavq_s8(values->held0, next_vector(weights));
    if (vectors > 2) {
        sum = vmladavaq_s8(sum, values->held1, next_vector(weights));
    }
    if (vectors > 3) {
        sum = vmladavaq_s8(sum, values->held2, next_vector(weights));
    }
    if (vectors > 4) {
        sum = vmladavaq_s8(sum, values->held3, next_vector(weights));
    }
    if (vectors > 5) {
        sum = vmladavaq_s8(sum, values->held4, next_vector(weights));
    }
    const int8_t* rest = values->rest;
    if (vectors > 6) {
        STEP(rest, 0); /* or the compiler would keep the vectors for the next filters, on the stack */
        sum = vmladavaq_s8(sum, next_vector(&rest), next_vector(weights));
    }
    if (vectors > 7) {
        sum = vmladavaq_s8(sum, next_vector(&rest), next_vector(weights));
    }
    if (vectors > 8) {
        sum = vmladavaq_s8(sum, next_vector(&rest), next_vector(weights));
    }
    if (overlap != 0) {
        STEP(*weights, -overlap);
    }
    return vmladavaq_s8(sum, values->last, next_vector(weights));
}

/* Lanes of the last vector that are also in the one before it are set to 0. */
SPLIT_ALWAYS_INLINE run loaded(const int8_t* from, int32_t bytes, int32_t vectors) {
    const int8x16_t zero = vdupq_n_s8(0);
    const int32_t overlap = SPLIT_MVE_BYTES * vectors - bytes;
    run values = {
        zero, zero, zero, zero, zero, vldrbq_s8(from + (bytes - SPLIT_MVE_BYTES)), from + 5 * SPLIT_MVE_BYTES};
    if (overlap != 0) {
        values.last = vpselq_s8(zero, values.last, vctp8q((uint32_t)overlap));
    }
    values.held0 = vectors > 1 ? vldrbq_s8(from) : zero;
    values.held1 = vectors > 2 ? vldrbq_s8(from + SPLIT_MVE_BYTES) : zero;
    values.held2 = vectors > 3 ? vldrbq_s8(from + 2 * SPLIT_MVE_BYTES) : zero;
    values.held3 = vectors > 4 ? vldrbq_s8(from + 3 * SPLIT_MVE_BYTES) : zero;
    values.held4 = vectors > 5 ? vldrbq_s8(from + 4 * SPLIT_MVE_BYTES) : zero;
    return values;
}

/* What four filters need but weights, and where their output goes. */
typedef struct four {
    const int32_t* bias;
    const int32_t* multipliers;
    const int8_t* shifts;
    int8_t* to;
} four;

/* Goes on to the next four filters. */
SPLIT_ALWAYS_INLINE void store_four(four* at, int32x4_t sums, int32_t zero_point, int32x4_t low, int32x4_t high) {
    sums = vaddq_s32(sums, vldrwq_s32(at->bias));
    sums = split_mve_requantize_right(sums, vldrwq_s32(at->multipliers), vldrbq_s32(at->shifts));
    sums = vminq_s32(vmaxq_s32(vaddq_n_s32(sums, zero_point), low), high);
    vstrbq_s32(at->to, sums);
    at->bias += SPLIT_MVE_WORDS;
    at->multipliers += SPLIT_MVE_WORDS;
    at->shifts += SPLIT_MVE_WORDS;
    at->to += SPLIT_MVE_WORDS;
}

SPLIT_ALWAYS_INLINE void store_runs(const split_mve_filters* filters, split_mve_runs runs, int32_t bytes,
                                    int32_t vectors) {
    const split_requantization* const to = filters->to;
    const int32_t zero_point = to->zero_point, overlap = SPLIT_MVE_BYTES * vectors - bytes;
    const int32x4_t low = vdupq_n_s32(to->min), high = vdupq_n_s32(to->max);
    for (; runs.pixels > 0; --runs.pixels, runs.from += runs.advance, runs.to += runs.stride) {
        const run values = loaded(runs.from, bytes, vectors);
        const int8_t* weights = filters->weights;
        four at = {filters->bias, filters->multipliers, filters->shifts, runs.to};
        for (int32_t fours = filters->fours; fours > 0; --fours) {
            const int32_t sum0 = dot(&values, vectors, overlap, &weights);
            const int32_t sum1 = dot(&values, vectors, overlap, &weights);
            const int32_t sum2 = dot(&values, vectors, overlap, &weights);
            const int32_t sum3 = dot(&values, vectors, overlap, &weights);
            store_four(&at, joined(sum0, sum1, sum2, sum3), zero_point, low, high);
        }
    }
}

/* Eight bytes: each vector of weights is two filters. */
SPLIT_MVE_CASE void store_eights(const split_mve_filters* filters, split_mve_runs runs) {
    const split_requantization* const to = filters->to;
    const int32_t zero_point = to->zero_point;
    const int32x4_t low = vdupq_n_s32(to->min), high = vdupq_n_s32(to->max);
    for (; runs.pixels > 0; --runs.pixels, runs.from += runs.advance, runs.to += runs.stride) {
        const int8x16_t first = vldrbq_z_s8(runs.from, 0x00FF), second = vldrbq_z_s8(runs.from - 8, 0xFF00);
        const int8_t* weights = filters->weights;
        four at = {filters->bias, filters->multipliers, filters->shifts, runs.to};
        for (int32_t fours = filters->fours; fours > 0; --fours) {
            const int8x16_t weights01 = next_vector(&weights), weights23 = next_vector(&weights);
            const int32_t sum0 = vmladavq_s8(first, weights01), sum1 = vmladavq_s8(second, weights01);
            const int32_t sum2 = vmladavq_s8(first, weights23), sum3 = vmladavq_s8(second, weights23);
            store_four(&at, joined(sum0, sum1, sum2, sum3), zero_point, low, high);
        }
    }
}

/* Four filters of fewer than 16 bytes. With `p`, nothing behind a filter is read. */
SPLIT_ALWAYS_INLINE int32x4_t short_dots(int8x16_t values, int32_t bytes, const int8_t** weights, int whole,
                                         mve_pred16_t p) {
    int32_t sums[4];
    for (int32_t f = 0; f < 4; ++f) {
        sums[f] = vmladavq_s8(values, whole ? vldrbq_s8(*weights) : vldrbq_z_s8(*weights, p));
        STEP(*weights, bytes);
    }
    return joined(sums[0], sums[1], sums[2], sums[3]);
}

/* Fewer than 16 bytes. Vectors of weights reach into the next filters. The last 16 bytes of all weights are read without
 * what is behind them. */
SPLIT_MVE_CASE void store_shorts(const split_mve_filters* filters, split_mve_runs runs, int32_t bytes) {
    const split_requantization* const to = filters->to;
    const int32_t zero_point = to->zero_point, careful = 1 + (SPLIT_MVE_BYTES - 1) / (4 * bytes);
    const int32x4_t low = vdupq_n_s32(to->min), high = vdupq_n_s32(to->max);
    const mve_pred16_t p = vctp8q((uint32_t)bytes);
    for (; runs.pixels > 0; --runs.pixels, runs.from += runs.advance, runs.to += runs.stride) {
        const int8x16_t values = vldrbq_z_s8(runs.from, p);
        const int8_t* weights = filters->weights;
        four at = {filters->bias, filters->multipliers, filters->shifts, runs.to};
        int32_t fours = filters->fours;
        for (; fours > careful; --fours) {
            store_four(&at, short_dots(values, bytes, &weights, 1, p), zero_point, low, high);
        }
        for (; fours > 0; --fours) {
            store_four(&at, short_dots(values, bytes, &weights, 0, p), zero_point, low, high);
        }
    }
}

SPLIT_MVE_CASE void store_long_runs(const split_mve_filters* filters, const split_mve_runs* runs, int32_t bytes) {
    if (bytes == 80) {
        store_runs(filters, *runs, 80, 5);
    } else if (bytes == 96) {
        store_runs(filters, *runs, 96, 6);
    } else if (bytes == 128) {
        store_runs(filters, *runs, 128, 8);
    } else {
        store_runs(filters, *runs, 144, 9);
    }
}

SPLIT_MVE_CASE void store_odd_runs(const split_mve_filters* filters, const split_mve_runs* runs, int32_t bytes) {
    if (bytes > 48) {
        store_runs(filters, *runs, bytes, 4);
    } else if (bytes > 32) {
        store_runs(filters, *runs, bytes, 3);
    } else {
        store_runs(filters, *runs, bytes, 2);
    }
}

void split_mve_store_dots(const split_mve_filters* filters, const split_mve_runs* runs, int32_t bytes) {
    if (bytes == 64) {
        store_runs(filters, *runs, 64, 4);
    } else if (bytes == 48) {
        store_runs(filters, *runs, 48, 3);
    } else if (bytes == 32) {
        store_runs(filters, *runs, 32, 2);
    } else if (bytes == 16) {
        store_runs(filters, *runs, 16, 1);
    } else if (bytes == 8) {
        store_eights(filters, *runs);
    } else if (bytes < SPLIT_MVE_BYTES) {
        store_shorts(filters, *runs, bytes);
    } else if (bytes <= SPLIT_MVE_RUN) {
        store_odd_runs(filters, runs, bytes);
    } else {
        store_long_runs(filters, runs, bytes);
    }
}

#endif /* SPLIT_NN_MVE */
