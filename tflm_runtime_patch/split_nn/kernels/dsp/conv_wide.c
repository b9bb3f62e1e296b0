/* CONV and, with a 1x1 window, FULLY_CONNECTED: one output row. The windows of one, two, three or five pixels are
 * widened to int16 once and then used by many filters. Large windows are widened part by part, each for some filters, whose
 * sums wait on the stack. Stack: below 900 bytes. */
#include <stddef.h>

#include "../shared_int8.h"
#include "../target.h"

#if defined(SPLIT_NN_DSP)

#include "conv_wide.h"
#include "wide.h"

/* Words of widened windows, of the copy of one window, and of sums. */
#define ROOM 120
/* The most elements of a part of a window. Three lanes of them leave room for the sums of 16 filters. */
#define PART 48

typedef struct layer {
    const split_conv* conv;
    const int8_t* const* rows;
    const split_pixels* in;
    const split_pixels* out;
    int8_t* output;
    int32_t depth;  /* input channels of a group */
    int32_t offset; /* of a group's channels in an input pixel */
    int32_t first;  /* output channels [first, end) are the group's */
    int32_t end;
    int32_t elements;     /* of a window */
    int32_t row_elements; /* of a row of it */
    int32_t part;         /* elements that are widened together */
    int32_t joined;       /* 1: the taps of a row that are inside the input are one run of bytes */
    int32_t copies;       /* 1: a window is copied before it is widened, because its runs are no whole quads */
    int32_t in_bytes;     /* 1: all sums become bytes the fast way */
    split_dsp_target target;
    int32_t x; /* the first of `lanes` pixels that are computed together */
    int32_t lanes;
    int32_t step; /* from the pixel of a lane to that of the next: 1, or 0 if both are the same */
    uint32_t* wide;
} layer;

/* The words that so many lanes take if all elements are widened. */
static int32_t words_of(int32_t elements, int32_t copies, int32_t lanes) {
    return ((elements + 3) >> 2) * (2 * lanes + copies);
}

/* Widens a run of bytes. If its length is no multiple of four, the rest comes first. */
static SPLIT_NOINLINE void widen_run(const int8_t* from, int32_t count, int32_t lanes, uint32_t* to) {
    const int32_t rest = count & 3;
    if (rest != 0) {
        split_widen_quad(split_load4(from) & ((UINT32_C(1) << (uint32_t)(8 * rest)) - 1u), lanes, to);
        to += 2 * lanes;
        from += rest;
    }
    for (int32_t quads = count >> 2; quads > 0; --quads, from += 4, to += 2 * lanes) {
        split_widen_quad(split_load4(from), lanes, to);
    }
}

/* Widens elements [offset, offset + count) of row k of the window of pixel x, which lies where it may. The taps of `depth`
 * elements are whole quads. */
static SPLIT_NOINLINE void widen_outer(const layer* on, int32_t x, int32_t k, int32_t offset, int32_t count,
                                       uint32_t* to) {
    const int32_t lanes = on->lanes;
    const split_window* const shape = &on->conv->window;
    const int32_t depth = on->depth, end = offset + count;
    const int32_t pair = (int32_t)((uint16_t)on->conv->input_zero_point * UINT32_C(0x00010001));
    while (offset < end) {
        const int32_t tap = offset / depth, next = (tap + 1) * depth, run = (next < end ? next : end) - offset;
        const int32_t column = x * shape->stride - shape->pad + tap * shape->dilation;
        if (on->rows[k] != NULL && column >= 0 && column < on->in->columns) {
            widen_run(on->rows[k] + (column * on->in->stride + on->offset + offset - tap * depth), run, lanes, to);
            to += (run >> 1) * lanes;
        } else {
            for (int32_t i = run >> 1; i > 0; --i, to += lanes) {
                *to = (uint32_t)pair;
            }
        }
        offset += run;
    }
}

/* Widens elements [offset, offset + count) of row k of all windows. */
static SPLIT_NOINLINE void widen_row(const layer* on, int32_t k, int32_t offset, int32_t count, uint32_t* to) {
    const split_window* const shape = &on->conv->window;
    const int32_t lanes = on->lanes, last = on->in->columns - shape->columns, stride = on->in->stride;
    const int32_t advance = on->step * shape->stride;
    const int8_t* const row = on->rows[k];
    int32_t origin = on->x * shape->stride - shape->pad;
    for (int32_t lane = 0; lane < lanes; ++lane, ++to, origin += advance) {
        if (on->joined && row != NULL && origin >= 0 && origin <= last) {
            widen_run(row + (origin * stride + on->offset + offset), count, lanes, to);
        } else {
            widen_outer(on, on->x + lane * on->step, k, offset, count, to);
        }
    }
}

/* Widens copies of all windows. */
static SPLIT_NOINLINE void widen_copies(const layer* on) {
    int8_t* const copy = (int8_t*)(on->wide + on->lanes * ((on->elements + 3) >> 2) * 2);
    for (int32_t lane = 0; lane < on->lanes; ++lane) {
        const split_window* const shape = &on->conv->window;
        const int32_t x = on->x + lane * on->step, column = x * shape->stride - shape->pad;
        const int8_t* from = copy;
        if (on->elements == on->depth && on->rows[0] != NULL && column >= 0 && column < on->in->columns) {
            from = on->rows[0] + (column * on->in->stride + on->offset);
        } else {
            split_gather_window(on->conv, on->rows, on->in, x, on->offset, on->depth, copy);
        }
        widen_run(from, on->elements, on->lanes, on->wide + lane);
    }
}

/* Sums to bytes, whatever their scales are. */
static SPLIT_NOINLINE void store_slowly(const layer* on, int32_t first, int32_t end, const uint32_t* sums) {
    for (int32_t channel = first; channel < end; ++channel) {
        int8_t* pixel = on->output + on->x * on->out->stride;
        for (int32_t lane = 0; lane < on->lanes; ++lane, pixel += on->step * on->out->stride) {
            pixel[channel] = split_to_int8(&on->conv->requantization, channel, *sums++);
        }
    }
}

/* The products of elements [from, from + count), which have been widened, with filters [first, end). */
static SPLIT_NOINLINE void add_products(const layer* on, int32_t first, int32_t end, int32_t from, int32_t count,
                                        uint32_t* sums) {
    const split_conv* const conv = on->conv;
    split_wide_filters filters = {on->elements - count,
                                  conv->requantization.multipliers + end,
                                  conv->requantization.shifts + end,
                                  on->output + (on->x * on->out->stride + end),
                                  on->step * on->out->stride,
                                  on->target.nudge,
                                  from + count == on->elements && on->in_bytes ? NULL : sums,
                                  first - end,
                                  count & 3,
                                  -(count >> 2) & 3,
                                  conv->bias + end,
                                  from == 0 ? NULL : sums,
                                  on->wide,
                                  on->wide + ((count + 3) >> 2) * 2 * on->lanes,
                                  conv->weights + (first * on->elements + from)};
    if (on->lanes == 5) {
        split_wide_5(&filters);
    } else if (on->lanes == 3) {
        split_wide_3(&filters);
    } else {
        split_wide_2(&filters);
    }
}

/* Widens all windows as a whole. */
static void widen_whole(const layer* on) {
    uint32_t* wide = on->wide;
    if (on->copies) {
        widen_copies(on);
        return;
    }
    for (int32_t k = 0; k < on->conv->window.rows; ++k) {
        widen_row(on, k, 0, on->row_elements, wide);
        wide += (on->row_elements >> 1) * on->lanes;
    }
}

/* All filters of a group for one pixel, whose window has been widened. */
static SPLIT_NOINLINE void one_pixel(const layer* on) {
    const split_conv* const conv = on->conv;
    const int32_t filter = on->elements, rest = filter & 3;
    const int8_t* weights = conv->weights + on->first * filter;
    int8_t* const pixel = on->output + on->x * on->out->stride;
    split_wide_four four;
    four.wide_end = on->wide + 2 * ((filter + 3) >> 2);
    four.entry = -(filter >> 2) & 3;
    for (int32_t channel = on->first; channel < on->end; channel += 4, weights += 4 * filter) {
        const int32_t left = on->end - channel; /* spare lanes repeat the last filter */
        const int32_t lane1 = left > 1 ? 1 : 0, lane2 = left > 2 ? 2 : lane1, lane3 = left > 3 ? 3 : lane2;
        const int32_t* const bias = conv->bias + channel;
        four.wide = on->wide;
        four.weights[0] = weights;
        four.weights[1] = weights + lane1 * filter;
        four.weights[2] = weights + lane2 * filter;
        four.weights[3] = weights + lane3 * filter;
        four.sums[0] = (uint32_t)bias[0];
        four.sums[1] = (uint32_t)bias[lane1];
        four.sums[2] = (uint32_t)bias[lane2];
        four.sums[3] = (uint32_t)bias[lane3];
        if (rest != 0) {
            four.wide += 2;
            for (int32_t i = 0; i < 4; ++i) {
                for (int32_t k = 0; k < rest; ++k) { /* elements 0 and 2 are in the first word, 1 in the second */
                    four.sums[i] += split_product(*four.weights[i]++, (int16_t)(on->wide[k & 1] >> (k & 2) * 8));
                }
            }
        }
        split_wide_add_four(&four);
        if (left >= 4) {
            split_dsp_store_four(&conv->requantization, &on->target, channel, four.sums, pixel);
        } else {
            split_dsp_store_any(&conv->requantization, &on->target, channel, four.sums[0], pixel);
            split_dsp_store_any(&conv->requantization, &on->target, channel + lane1, four.sums[1], pixel);
            split_dsp_store_any(&conv->requantization, &on->target, channel + lane2, four.sums[2], pixel);
        }
    }
}

/* All filters of a group for some pixels. If windows are widened as a whole, that has been done. */
static void some_pixels(const layer* on) {
    const int32_t rows = on->conv->window.rows, part = on->part, whole = part == on->elements;
    const int32_t words = words_of(part, on->copies, on->lanes), room = (ROOM - words) / on->lanes;
    const int32_t together = whole && on->in_bytes ? on->end - on->first : room;
    uint32_t* const sums = on->wide + words;
    for (int32_t first = on->first; first < on->end; first += together) {
        const int32_t end = first + together < on->end ? first + together : on->end;
        int32_t done = 0;
        for (int32_t k = 0; k < rows && !whole; ++k) {
            for (int32_t offset = 0; offset < on->row_elements; offset += part) {
                const int32_t left = on->row_elements - offset, count = left < part ? left : part;
                widen_row(on, k, offset, count, on->wide);
                add_products(on, first, end, done, count, sums);
                done += count;
            }
        }
        if (whole) {
            add_products(on, first, end, 0, on->elements, sums);
        }
        if (!on->in_bytes) {
            store_slowly(on, first, end, sums);
        }
    }
}

/* Do all sums become bytes the fast way? */
static int32_t is_fast(const split_requantization* to, int32_t filters, int32_t narrow) {
    int32_t multipliers = -1, slow = narrow | (to->step != 1);
    for (int32_t channel = 0; channel < filters && slow == 0; ++channel) {
        multipliers &= to->multipliers[channel];
        slow |= !split_dsp_is_fast_shift(to->shifts[channel]);
    }
    return slow == 0 && (multipliers >> 30) == 1;
}

/* How many of the pixels that are left are computed together, if `most` may be. A single pixel takes more than others. */
static int32_t lanes_of(int32_t left, int32_t most) {
    if (most == 1) {
        return 1;
    }
    if (most == 2 || left <= 2 || left == 4) {
        return 2;
    }
    return most == 5 && left >= 5 && left != 6 && left != 9 ? 5 : 3;
}

/* Do the windows of so many pixels fit as a whole, with a sum of each? */
static int fits(int32_t elements, int32_t copies, int32_t lanes) {
    return words_of(elements, copies, lanes) + lanes <= ROOM;
}

int32_t split_dsp_wide_lanes(const split_conv* conv, const int8_t* const* rows, const split_pixels* in,
                             const int8_t* output, const split_pixels* out) {
    const int32_t depth = in->channels / conv->groups, taps = conv->window.rows * conv->window.columns;
    const int32_t elements = taps * depth, copies = depth % 4 != 0;
    const int32_t one = fits(elements, copies, 1);
    int32_t most = fits(elements, copies, 5) ? 5 : fits(elements, copies, 3) ? 3 : fits(elements, copies, 2) ? 2 : 0;
    if (elements < 4) {
        return 0;
    }
    if (out->columns == 1) {
        return one;
    }
    if (most != 0 && conv->groups == 1) { /* all of a window is read before its outputs are written */
        return most;
    }
    const int32_t together = split_pixels_together(conv, rows, in, output, out, 0);
    if (conv->groups != 1 && together != out->columns) {
        return 0;
    }
    if (most == 0 && !copies && together > 1) {
        most = together > 3 ? 3 : together;
    }
    return most != 0 ? most : one;
}

void split_dsp_conv_wide_row(const split_conv* conv, const int8_t* const* rows, const split_pixels* in, int8_t* output,
                             const split_pixels* out) {
    uint32_t wide[ROOM];
    const split_window* const shape = &conv->window;
    const split_requantization* const to = &conv->requantization;
    const int32_t most = split_dsp_wide_lanes(conv, rows, in, output, out);
    const int32_t filters = out->channels / conv->groups;
    layer on;
    on.conv = conv;
    on.rows = rows;
    on.in = in;
    on.out = out;
    on.output = output;
    on.depth = in->channels / conv->groups;
    on.row_elements = shape->columns * on.depth;
    on.elements = shape->rows * on.row_elements;
    on.copies = on.depth % 4 != 0;
    on.joined = shape->columns == 1 || shape->dilation * in->stride == on.depth;
    on.target = split_dsp_target_of(to->zero_point, to->min, to->max);
    on.in_bytes = most > 1 && is_fast(to, out->channels, on.target.narrow);
    on.wide = wide;
    on.part = on.elements;
    if (!fits(on.elements, on.copies, most)) {
        const int32_t parts = (on.row_elements + PART - 1) / PART;
        on.part = ((on.row_elements + parts - 1) / parts + 3) & ~3;
    }
    for (on.offset = 0; on.offset < in->channels; on.offset += on.depth) {
        on.first = on.offset / on.depth * filters;
        on.end = on.first + filters;
        for (on.x = 0; on.x < out->columns; on.x += on.lanes) {
            on.lanes = lanes_of(out->columns - on.x, most);
            on.step = out->columns - on.x > 1;
            if (on.part == on.elements) {
                widen_whole(&on);
            }
            if (on.lanes == 1) {
                one_pixel(&on);
            } else {
                some_pixels(&on);
            }
        }
    }
}

#endif /* SPLIT_NN_DSP */
