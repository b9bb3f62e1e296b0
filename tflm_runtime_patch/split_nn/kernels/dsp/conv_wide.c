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
/* The most filters whose sums wait while the next part of a window is widened. */
#define TOGETHER 16
/* Up to so many filters are few for windows that do not fit as a whole. */
#define FEW 8
/* Windows of up to so many elements are copied with all their padding. */
#define SMALL 64

typedef struct layer {
    uint8_t joined;   /* 1: the taps of a row that are inside the input are one run of bytes */
    uint8_t fitting;  /* pixels whose windows fit as a whole, with a sum of each */
    uint8_t in_bytes; /* 1: all sums become bytes the fast way */
    uint8_t step;     /* from the pixel of a lane to that of the next: 1, or 0 if both are the same */
    uint8_t copies;   /* 1: runs are copied together before they are widened, because they are no whole quads */
    uint8_t lanes;    /* pixels that are computed together, from x on */
    const split_conv* conv;
    const int8_t* const* rows;
    const split_pixels* in;
    const split_pixels* out;
    int8_t* output;
    int32_t depth;  /* input channels of a group */
    int32_t offset; /* of a group's channels in an input pixel */
    int32_t first;  /* output channels [first, end) are the group's */
    int32_t end;
    int32_t filter; /* weights from one filter to the next */
    const int8_t* weights;
    int32_t row_count;    /* of a window, without padding rows that add nothing */
    int32_t elements;     /* in these rows */
    int32_t row_elements; /* of a row of it */
    int32_t part;         /* elements that are widened together */
    split_dsp_target target;
    int32_t x;
    uint32_t wide[ROOM]; /* widened windows, then a copy of one, or sums */
} layer;

/* The words that so many lanes take if all elements are widened. */
static int32_t words_of(int32_t elements, int32_t copies, int32_t lanes) {
    return ((elements + 3) >> 2) * (2 * lanes + copies);
}

/* Widens a run of bytes. If its length is no multiple of four, zeros come first. */
static SPLIT_NOINLINE void widen_run(const int8_t* from, int32_t count, int32_t lanes, uint32_t* to) {
    const int32_t rest = count & 3;
    if (rest != 0) {
        uint32_t word = 0;
        if (count >= 4) {
            word = split_load4(from) << (uint32_t)(32 - 8 * rest);
        } else {
            for (int32_t i = 0; i < rest; ++i) {
                word = word >> 8 | (uint32_t)(uint8_t)from[i] << 24;
            }
        }
        split_widen_quad(word, lanes, to);
        to += 2 * lanes;
        from += rest;
    }
    for (int32_t quads = count >> 2; quads > 0; --quads, from += 4, to += 2 * lanes) {
        split_widen_quad(split_load4(from), lanes, to);
    }
}

/* Widens elements [offset, offset + count) of row k of the window of pixel x, which lies where it may. */
static SPLIT_NOINLINE void widen_outer(layer* on, int32_t x, int32_t k, int32_t offset, int32_t count, uint32_t* to) {
    const int32_t lanes = on->lanes, stride = on->in->stride;
    const split_window* const shape = &on->conv->window;
    const int32_t depth = on->depth, tap = offset / depth;
    const int32_t pair = (int32_t)((uint16_t)on->conv->input_zero_point * UINT32_C(0x00010001));
    const int8_t* const row = on->rows[k];
    int8_t* const copied = (int8_t*)(on->wide + 2 * lanes * ((on->part + 3) >> 2));
    int8_t* copy = copied;
    int32_t column = x * shape->stride - shape->pad + tap * shape->dilation, begin = offset - tap * depth;
    for (int32_t left = count; left > 0; begin = 0, column += shape->dilation) {
        const int32_t run = left < depth - begin ? left : depth - begin;
        const int8_t* const from = row + (column * stride + on->offset + begin);
        const int inside = row != NULL && column >= 0 && column < on->in->columns;
        left -= run;
        if (on->copies) {
            if (inside) {
                memcpy(copy, from, (size_t)run);
            } else {
                memset(copy, pair, (size_t)run);
            }
            copy += run;
        } else if (inside) {
            widen_run(from, run, lanes, to);
            to += (run >> 1) * lanes;
        } else {
            for (int32_t i = run >> 1; i > 0; --i, to += lanes) {
                *to = (uint32_t)pair;
            }
        }
    }
    if (on->copies) {
        widen_run(copied, count, lanes, to);
    }
}

/* Widens elements [offset, offset + count) of row k of all windows. */
static SPLIT_NOINLINE void widen_row(layer* on, int32_t k, int32_t offset, int32_t count, uint32_t* to) {
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
static SPLIT_NOINLINE void widen_copies(layer* on) {
    int8_t* const copy = (int8_t*)(on->wide + on->lanes * ((on->elements + 3) >> 2) * 2);
    const split_window* const shape = &on->conv->window;
    for (int32_t lane = 0; lane < on->lanes; ++lane) {
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
    const split_requantization* const to = &on->conv->requantization;
    const int32_t advance = on->step * on->out->stride;
    for (int32_t channel = first; channel < end; ++channel) {
        const int32_t multiplier = to->multipliers[channel * to->step], shift = to->shifts[channel * to->step];
        const int fast = split_dsp_is_fast(multiplier, shift) && !on->target.narrow;
        const split_dsp_fast_scale scale = split_dsp_fast_scale_of(multiplier, shift, on->target.nudge);
        int8_t* pixel = on->output + on->x * on->out->stride;
        for (int32_t lane = on->lanes; lane > 0; --lane, ++sums, pixel += advance) {
            if (fast) {
                pixel[channel] = (int8_t)split_dsp_to_int8_fast(*sums, scale);
            } else {
                split_dsp_store_any(to, &on->target, channel, sums, 1, pixel);
            }
        }
    }
}

/* The products of elements [from, from + count), which have been widened, with filters [first, end). */
static SPLIT_NOINLINE void add_products(const layer* on, int32_t first, int32_t end, int32_t from, int32_t count,
                                        uint32_t* sums) {
    const split_conv* const conv = on->conv;
    const int32_t quads = (count + 3) >> 2;
    split_wide_filters filters = {on->filter - 4 * quads,
                                  conv->requantization.multipliers + end,
                                  conv->requantization.shifts + end,
                                  on->output + (on->x * on->out->stride + end),
                                  on->step * on->out->stride,
                                  on->target.nudge,
                                  from + count == on->elements && on->in_bytes ? NULL : sums,
                                  first - end,
                                  -quads & 3,
                                  conv->bias + end,
                                  from == 0 ? NULL : sums,
                                  on->wide,
                                  on->wide + quads * 2 * on->lanes,
                                  on->weights + (first * on->filter + from + count - 4 * quads)};
    if (on->lanes == 5) {
        split_wide_5(&filters);
    } else if (on->lanes == 3) {
        split_wide_3(&filters);
    } else {
        split_wide_2(&filters);
    }
}

/* Widens all windows as a whole. */
static void widen_whole(layer* on) {
    uint32_t* wide = on->wide;
    if (on->copies) {
        widen_copies(on);
        return;
    }
    for (int32_t k = 0; k < on->row_count; ++k) {
        widen_row(on, k, 0, on->row_elements, wide);
        wide += (on->row_elements >> 1) * on->lanes;
    }
}

/* All filters of a group for one pixel, whose window has been widened. */
static SPLIT_NOINLINE void one_pixel(const layer* on) {
    const split_conv* const conv = on->conv;
    const int32_t filter = on->filter, quads = (on->elements + 3) >> 2;
    const int8_t* weights = on->weights + (on->first * filter + on->elements - 4 * quads);
    int8_t* const pixel = on->output + on->x * on->out->stride;
    split_wide_four four;
    four.wide_end = on->wide + 2 * quads;
    four.entry = -quads & 3;
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
        split_wide_add_four(&four);
        if (left < 4 || !split_dsp_store_four_fast(&conv->requantization, &on->target, channel, four.sums, pixel)) {
            split_dsp_store_any(&conv->requantization, &on->target, channel, four.sums, left < 4 ? left : 4, pixel);
        }
    }
}

/* All filters of a group for some pixels. If windows are widened as a whole, that has been done. */
static void some_pixels(layer* on) {
    const int32_t part = on->part, whole = part == on->elements;
    const int32_t row_count = whole ? 1 : on->row_count, row_elements = whole ? part : on->row_elements;
    const int32_t words = words_of(part, on->copies, on->lanes), room = (ROOM - words) / on->lanes;
    const int32_t together = whole && on->in_bytes ? on->end - on->first : room;
    uint32_t* const sums = on->wide + words;
    for (int32_t first = on->first; first < on->end; first += together) {
        const int32_t end = first + together < on->end ? first + together : on->end;
        int32_t done = 0;
        for (int32_t k = 0; k < row_count; ++k) {
            for (int32_t offset = 0; offset < row_elements; offset += part) {
                const int32_t left = row_elements - offset, count = left < part ? left : part;
                if (!whole) {
                    widen_row(on, k, offset, count, on->wide);
                }
                add_products(on, first, end, done, count, sums);
                done += count;
            }
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

/* How many of the pixels that are left are computed together, if `most` may be. A single pixel takes more than others. Alone
 * it needs its window as a whole. */
static int32_t lanes_of(int32_t left, int32_t most, int whole) {
    if (most == 1 || (left == 1 && whole)) {
        return 1;
    }
    if (most == 2 || left <= 2 || left == 4) {
        return 2;
    }
    return most == 5 && left >= 5 && left != 6 && left != 9 ? 5 : 3;
}

/* How many pixels are computed together at most: 5, 3, 2, 1, or 0 if this file had better not compute the row. */
static SPLIT_NOINLINE int32_t most_lanes(const layer* on, const int8_t* const* rows) {
    const split_conv* const conv = on->conv;
    const split_window* const shape = &conv->window;
    const int32_t columns = on->out->columns, fitting = on->fitting, filters = on->out->channels / conv->groups;
    /* Where few filters use a widened window, conv.c takes fewer instructions if it may take two pixels. */
    const int few = (filters & 1) == 0 &&
                    filters <= (fitting < 1                  ? FEW
                                : fitting < 3                ? 4
                                : fitting < 5 || !on->copies ? 2
                                                             : 0) &&
                    (on->joined || on->depth >= 4);
    int32_t most = fitting >= 5 ? 5 : fitting >= 3 ? 3 : fitting;
    /* So it does where all windows reach beyond the input, and nothing is added there. */
    if (conv->input_zero_point == 0 && on->filter > SMALL &&
        on->in->columns <= (shape->columns - 1) * shape->dilation) {
        return 0;
    }
    if (columns == 1) {
        return fitting > 0;
    }
    if (fitting < 2 || conv->groups != 1 || few) { /* otherwise windows are read before outputs are written */
        const int32_t together = split_pixels_together(conv, rows, on->in, on->output, on->out, 0);
        if ((conv->groups != 1 && together != columns) || (few && together > 1)) {
            return 0;
        }
        if (fitting < 2 && together > 1) {
            most = together > 3 ? 3 : together;
        }
    }
    return most;
}

/* The elements of a part of a window that does not fit as a whole: as many as leave room for the sums of TOGETHER filters,
 * in parts that are about equally long. */
static int32_t part_of(const layer* on, int32_t filters, int32_t lanes) {
    const int32_t together = filters < TOGETHER ? filters : TOGETHER;
    const int32_t most = (ROOM - together * lanes) / (2 * lanes + on->copies) * 4;
    const int32_t parts = (on->row_elements + most - 1) / most;
    return ((on->row_elements + parts - 1) / parts + 3) & ~3;
}

int32_t split_dsp_conv_wide_row(const split_conv* conv, const int8_t* const* rows, const split_pixels* in,
                                int8_t* output, const split_pixels* out) {
    const split_requantization* const to = &conv->requantization;
    const int32_t filters = out->channels / conv->groups;
    layer on;
    on.in = in;
    on.out = out;
    on.output = output;
    on.depth = in->channels / conv->groups;
    on.row_elements = conv->window.columns * on.depth;
    on.filter = conv->window.rows * on.row_elements;
    on.conv = conv;
    on.rows = rows;
    on.row_count = conv->window.rows;
    on.weights = conv->weights;
    on.copies = on.depth % 4 != 0;
    if (conv->input_zero_point == 0 && !(on.copies && on.filter <= SMALL)) {
        for (; on.row_count > 1 && on.rows[0] == NULL; ++on.rows, --on.row_count) {
            on.weights += on.row_elements;
        }
        while (on.row_count > 1 && on.rows[on.row_count - 1] == NULL) {
            --on.row_count;
        }
    }
    on.elements = on.row_count * on.row_elements;
    on.joined = conv->window.columns == 1 || conv->window.dilation * in->stride == on.depth;
    const int32_t quads = (on.elements + 3) >> 2;
    on.fitting = 0;
    if (quads * (2 + on.copies) < ROOM &&
        !(on.copies && on.row_count < conv->window.rows)) { /* only whole windows are copied */
        on.fitting = (uint8_t)((ROOM - quads * on.copies) / (2 * quads + 1));
    }
    const int32_t most = most_lanes(&on, rows);
    if (most == 0) {
        return 0;
    }
    on.target = split_dsp_target_of(to->zero_point, to->min, to->max);
    on.in_bytes = most > 1 && is_fast(to, out->channels, on.target.narrow);
    on.part = most <= on.fitting ? on.elements : part_of(&on, filters, most);
    for (on.first = on.offset = 0; on.offset < in->channels; on.offset += on.depth, on.first = on.end) {
        on.end = on.first + filters;
        for (on.x = 0; on.x < out->columns; on.x += on.lanes) {
            on.lanes = (uint8_t)lanes_of(out->columns - on.x, most, on.part == on.elements);
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
    return 1;
}

#endif /* SPLIT_NN_DSP */
