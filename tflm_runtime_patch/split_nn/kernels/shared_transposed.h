/* How a transposed convolution finds the input pixels that add to an output pixel. */
#ifndef SPLIT_NN_SHARED_TRANSPOSED_H_
#define SPLIT_NN_SHARED_TRANSPOSED_H_

#include "kernels.h"

/* The first tap of one output pixel: window column `tap` reads input pixel `column`. The next is tap + stride, which
 * reads column - 1, and so on while both exist. */
typedef struct split_meeting {
    int32_t tap;
    int32_t column;
} split_meeting;

static inline split_meeting split_first_meeting(const split_window* window, int32_t x, int32_t columns) {
    const int32_t reach = x + window->pad;
    split_meeting first = {reach % window->stride, reach / window->stride};
    if (first.column >= columns) {
        first.tap += (first.column - columns + 1) * window->stride;
        first.column = columns - 1;
    }
    return first;
}

#endif /* SPLIT_NN_SHARED_TRANSPOSED_H_ */
