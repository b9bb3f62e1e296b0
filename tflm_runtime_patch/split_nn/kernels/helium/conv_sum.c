/* CONV_SUM: one group of input channels of a convolution, added to the sums of one output row; and the row they end up
 * as. On MVE. Stack: below 700 bytes. */
#include <string.h>

#include "../target.h"

#if defined(SPLIT_NN_MVE)

#include "window.h"

/* Adds the window of one output pixel. A small window is gathered, so that each filter is one run of bytes. */
SPLIT_MVE_CASE void add_pixel(const work* of, const place* at, int is_inner, int32_t* sums) {
    const split_window* window = &of->conv->window;
    const int8_t* weights = of->conv->weights;
    const int32_t bytes = of->filter_bytes;
    int8_t run[GATHERED_BYTES];
    if (is_inner && window->rows == 1) {
        split_mve_dots(sums, sums, of->group_filters, of->rows[0] + at->offset, bytes, weights, bytes);
    } else if (bytes > GATHERED_BYTES) {
        const batch filters = {0, of->group_filters, weights};
        add_rows(of, at, 0, &filters, sums);
    } else {
        if (is_inner) {
            gather_runs(of->rows, window->rows, at->offset, window->columns * of->depth, run);
        } else {
            gather(of, at, 0, run);
        }
        split_mve_dots(sums, sums, of->group_filters, run, bytes, weights, bytes);
    }
}

void split_nn_conv_sum_row(const split_conv* conv, const int8_t* const* rows, const split_pixels* in, int32_t* sums,
                           const split_pixels* out) {
    const split_window window = conv->window;
    const work of = {conv,
                     rows,
                     {conv->requantization, 0},
                     in->channels,
                     out->channels,
                     window.rows * window.columns * in->channels,
                     window.dilation * in->stride,
                     0};
    /* Windows that start at a pixel in [0, last] lie inside the input. */
    const int may_be_inner = is_contiguous(&of, window.columns) && !has_padding(rows, window.rows);
    const int32_t last = may_be_inner ? in->columns - 1 - (window.columns - 1) * window.dilation : -1;
    int32_t origin = -window.pad;
    for (int32_t x = out->columns; x > 0; --x, origin += window.stride, sums += out->channels) {
        place at = {0, window.columns, origin * in->stride};
        const int is_inner = 0 <= origin && origin <= last;
        if (!is_inner) {
            split_clip_window(&window, origin, in->columns, &at.begin, &at.end);
            at.offset = (origin + at.begin * window.dilation) * in->stride;
        }
        add_pixel(&of, &at, is_inner, sums);
    }
}

/* Sums are copied first, because behind the last ones there may be nothing that could be loaded with them. */
void split_nn_conv_sum_finish(const split_requantization* to, const int32_t* sums, int8_t* output,
                              const split_pixels* out) {
    const split_mve_scales scales = split_mve_scales_of(to, out->channels);
    int32_t copied[SPLIT_MVE_BATCH];
    for (int32_t x = out->columns; x > 0; --x, output += out->stride) {
        for (int32_t first = 0, count; first < out->channels; first += count, sums += count) {
            count = out->channels - first < SPLIT_MVE_BATCH ? out->channels - first : SPLIT_MVE_BATCH;
            memcpy(copied, sums, (size_t)count * sizeof *copied);
            split_mve_store(&scales, first, copied, count, output + first);
        }
    }
}

#endif /* SPLIT_NN_MVE */
