/* Copies of windows, and rows that overlap. Stack: below 100 bytes. */
#include <stddef.h>
#include <string.h>

#include "target.h"

#include "shared_int8.h"
#include "windows.h"

#if !defined(SPLIT_NN_MVE) /* Helium kernels copy windows themselves */

static int8_t* copy(int8_t* to, const int8_t* from, int32_t count) {
#if defined(SPLIT_NN_DSP)
    int8_t* const end = to + count;
    if (count >= 4) {
        for (; end - to >= 4; to += 4, from += 4) {
            memcpy(to, from, 4);
        }
        memcpy(end - 4, from + (end - to) - 4, 4); /* the rest, and what was copied before it once more */
        return end;
    }
#else /* where words must be aligned, memcpy would be a call */
    for (; count >= 4; count -= 4, to += 4, from += 4) {
        const uint8_t* const bytes = (const uint8_t*)from; /* Thumb-1 loads unsigned bytes in one instruction */
        const uint8_t byte0 = bytes[0], byte1 = bytes[1], byte2 = bytes[2], byte3 = bytes[3];
        to[0] = (int8_t)byte0;
        to[1] = (int8_t)byte1;
        to[2] = (int8_t)byte2;
        to[3] = (int8_t)byte3;
    }
#endif
    for (; count > 0; --count) {
        *to++ = *from++;
    }
    return to;
}

static int8_t* fill(int8_t* to, int32_t value, int32_t count) {
    for (; count > 0; --count) {
        *to++ = (int8_t)value;
    }
    return to;
}

void split_gather_window(const split_conv* conv, const int8_t* const* rows, const split_pixels* in, int32_t x,
                         int32_t channel, int32_t depth, int8_t* window) {
    const split_window* shape = &conv->window;
    const int32_t padding = conv->input_zero_point;
    const int32_t origin = x * shape->stride - shape->pad;
    const int32_t step = shape->dilation * in->stride;
    int32_t begin, end;
    split_clip_window(shape, origin, in->columns, &begin, &end);
    const int32_t start = (origin + begin * shape->dilation) * in->stride + channel;
    for (int32_t k = 0; k < shape->rows; ++k) {
        if (rows[k] == NULL || begin == end) {
            window = fill(window, padding, shape->columns * depth);
            continue;
        }
        const int8_t* values = rows[k] + start;
        window = fill(window, padding, begin * depth);
        if (step == depth) {
            window = copy(window, values, (end - begin) * depth);
        } else {
            for (int32_t t = 0; t < end - begin; ++t) {
                window = copy(window, values + t * step, depth);
            }
        }
        window = fill(window, padding, (shape->columns - end) * depth);
    }
}

#endif /* !SPLIT_NN_MVE */

int32_t split_pixels_together(const split_conv* conv, const int8_t* const* rows, const split_pixels* in,
                              const int8_t* output, const split_pixels* out, int channel_wise) {
    const uintptr_t in_bytes = (uintptr_t)((in->columns - 1) * in->stride + in->channels);
    const uintptr_t out_bytes = (uintptr_t)((out->columns - 1) * out->stride + out->channels);
    const int32_t advance = conv->window.stride * in->stride, start = -conv->window.pad * in->stride;
    int32_t together = out->columns;
    if (together == 1) { /* one pixel only; its stride may be 0 */
        return together;
    }
    for (int32_t k = 0; k < conv->window.rows; ++k) {
        const int8_t* row = rows[k];
        const int32_t below = (int32_t)((uintptr_t)row - (uintptr_t)output);
        if (row == NULL || (uintptr_t)output >= (uintptr_t)row + in_bytes ||
            (uintptr_t)row >= (uintptr_t)output + out_bytes ||
            (channel_wise && in->stride == out->stride && below % in->stride == 0)) {
            continue;
        }
        /* The distance from the end of an output pixel to the start of its window, for the first and the last pixel. */
        const int32_t at_first = below + start - out->channels;
        const int32_t at_last = at_first + (out->columns - 1) * (advance - out->stride);
        const int32_t least = at_first < at_last ? at_first : at_last;
        together = split_clamp(least / out->stride + 1, 1, together);
    }
    return together;
}
