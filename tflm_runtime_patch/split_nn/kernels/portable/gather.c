/* GATHER: one output row, copied from a table. Stack: below 60 bytes. */
#include <stddef.h>
#include <string.h>

#include "../kernels.h"

void split_nn_gather_row(const int8_t* entry, int8_t* output, const split_pixels* out) {
    for (int32_t x = 0; x < out->columns; ++x) {
        memcpy(output + x * out->stride, entry + x * out->channels, (size_t)out->channels);
    }
}
