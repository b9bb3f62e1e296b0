/* Dot products of a run of bytes with many filters, on MVE. Stack: below 150 bytes. */
#include "../target.h"

#if defined(SPLIT_NN_MVE)

#include "helium.h"

/* Runs of up to this many bytes stay in registers for all filters. The loop over filters then needs only one load and
 * one multiply-accumulate per 16 products. */
#define HELD_BYTES 96

typedef struct task {
    int32_t* sums;
    const int32_t* initial;
    int32_t filters;
    const int8_t* values;
    const int8_t* weights;
    int32_t filter; /* bytes from one filter's weights to the next one's */
} task;

/* A run of 16 .. 64 bytes, or of 96, in `vectors` vectors. The last vector ends where the run ends. If the length is no
 * multiple of 16 it overlaps the vector before it, and its lanes that are in both are set to 0. */
SPLIT_ALWAYS_INLINE void held_dots(task of, int32_t bytes, int32_t vectors) {
    const int32_t tail = bytes - SPLIT_MVE_BYTES;
    int8x16_t held0 = vdupq_n_s8(0), held1 = held0, held2 = held0, held3 = held0, held4 = held0;
    int8x16_t last = vldrbq_s8(of.values + tail);
    if (bytes != SPLIT_MVE_BYTES * vectors) {
        const mve_pred16_t twice = vctp8q((uint32_t)(SPLIT_MVE_BYTES * vectors - bytes));
        last = vpselq_s8(held0, last, twice);
    }
    held0 = vectors > 1 ? vldrbq_s8(of.values) : held0;
    held1 = vectors > 2 ? vldrbq_s8(of.values + 1 * SPLIT_MVE_BYTES) : held1;
    held2 = vectors > 3 ? vldrbq_s8(of.values + 2 * SPLIT_MVE_BYTES) : held2;
    held3 = vectors > 4 ? vldrbq_s8(of.values + 3 * SPLIT_MVE_BYTES) : held3;
    held4 = vectors > 5 ? vldrbq_s8(of.values + 4 * SPLIT_MVE_BYTES) : held4;
    const int8_t* last_weights = of.weights + tail;
    for (; of.filters > 0; --of.filters) {
        int32_t sum = *of.initial++;
        if (vectors > 1) {
            sum = vmladavaq_s8(sum, held0, vldrbq_s8(of.weights));
        }
        if (vectors > 2) {
            sum = vmladavaq_s8(sum, held1, vldrbq_s8(of.weights + 1 * SPLIT_MVE_BYTES));
        }
        if (vectors > 3) {
            sum = vmladavaq_s8(sum, held2, vldrbq_s8(of.weights + 2 * SPLIT_MVE_BYTES));
        }
        if (vectors > 4) {
            sum = vmladavaq_s8(sum, held3, vldrbq_s8(of.weights + 3 * SPLIT_MVE_BYTES));
        }
        if (vectors > 5) {
            sum = vmladavaq_s8(sum, held4, vldrbq_s8(of.weights + 4 * SPLIT_MVE_BYTES));
        }
        *of.sums++ = vmladavaq_s8(sum, last, vldrbq_s8(last_weights));
        of.weights += of.filter;
        last_weights += of.filter;
    }
}

/* A run of fewer than 16 bytes. */
SPLIT_ALWAYS_INLINE void short_dots(task of, int32_t bytes) {
    const mve_pred16_t p = vctp8q((uint32_t)bytes);
    const int8x16_t held = vldrbq_z_s8(of.values, p);
    for (; of.filters > 0; --of.filters, of.weights += of.filter) {
        *of.sums++ = vmladavaq_s8(*of.initial++, held, vldrbq_z_s8(of.weights, p));
    }
}

/* The dot products of the first bytes of the run: at least 16, if it has so many. Returns how many bytes. Calls with a
 * constant length need one pointer less. */
static inline int32_t some_dots(task of, int32_t bytes) {
    if (bytes >= 96) {
        held_dots(of, 96, 6);
        return 96;
    }
    if (bytes >= 64) {
        held_dots(of, 64, 4);
        return 64;
    }
    if (bytes == 48) {
        held_dots(of, 48, 3);
    } else if (bytes == 32) {
        held_dots(of, 32, 2);
    } else if (bytes == 16) {
        held_dots(of, 16, 1);
    } else if (bytes > 48) {
        held_dots(of, bytes, 4);
    } else if (bytes > 32) {
        held_dots(of, bytes, 3);
    } else if (bytes > 16) {
        held_dots(of, bytes, 2);
    } else {
        short_dots(of, bytes);
    }
    return bytes;
}

void split_mve_dots(int32_t* sums, const int32_t* initial, int32_t filters, const int8_t* values, int32_t bytes,
                    const int8_t* weights, int32_t filter) {
    task of = {sums, initial, filters, values, weights, filter};
    for (;;) {
        const int32_t done = some_dots(of, bytes);
        bytes -= done;
        if (bytes <= 0) {
            return;
        }
        of.initial = sums;
        of.values += done;
        of.weights += done;
    }
}

#endif /* SPLIT_NN_MVE */
