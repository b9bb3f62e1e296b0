#include <stddef.h>

#include "variants.h"

static int32_t row_bytes(const split_pixels* pixels) {
    return (pixels->columns - 1) * pixels->stride + pixels->channels;
}

/* The last output pixel whose window reads input pixel `pixel`, or -1. */
static int32_t last_reader(const scene* at, int32_t pixel) {
    const split_window* window = &at->window;
    int32_t last = -1;
    for (int32_t k = 0; k < window->columns; ++k) {
        const int32_t reach = pixel + window->pad - k * window->dilation;
        if (reach >= 0 && reach % window->stride == 0) {
            const int32_t x = reach / window->stride;
            const int32_t reader = x < at->out.columns ? x : -1;
            last = reader > last ? reader : last;
        }
    }
    return last;
}

/* Rule 1 of split_nn.h. */
static int may_lie_at(const scene* at, int32_t output) {
    for (int32_t k = 0; k < at->window.rows; ++k) {
        for (int32_t pixel = 0; pixel < at->in.columns && at->rows[k] >= 0; ++pixel) {
            const int32_t begin = at->rows[k] + pixel * at->in.stride, end = begin + at->in.channels;
            const int32_t last = last_reader(at, pixel);
            for (int32_t x = 0; x <= last && x < at->out.columns; ++x) {
                const int32_t to = output + x * at->out.stride;
                if (to < end && begin < to + at->out.channels) {
                    return 0;
                }
            }
        }
    }
    return 1;
}

/* Rule 3: exactly on a row it reads. */
static int may_be_in_place(const scene* at, int channel_wise) {
    const split_window* window = &at->window;
    return channel_wise && window->columns == 1 && window->stride == 1 && window->pad == 0 &&
           at->in.columns == at->out.columns && at->in.channels == at->out.channels;
}

int scene_place(scene* at, int channel_wise) {
    at->window.stride = RANDOM_OF(1, 1, 1, 2, 3);
    at->window.dilation = RANDOM_OF(1, 1, 1, 1, 2, 3);
    at->window.pad = RANDOM_OF(0, 0, 0, 1, 1, 2, 3, -1, -2);
    at->in.columns = at->in.columns > 0 ? at->in.columns : random_between(1, 12);
    at->out.columns = random_between(1, 10);
    if (at->window.columns == 1 && random_one_in(2)) {
        at->window.stride = 1;
        at->window.pad = 0;
        at->out.columns = at->in.columns;
    }
    at->in.stride = at->in.channels + RANDOM_OF(0, 0, 0, 1, 5);
    at->out.stride = at->out.channels + RANDOM_OF(0, 0, 0, 1, 3);
    int32_t last = -1;
    for (int32_t k = 0; k < at->window.rows; ++k) {
        at->rows[k] = random_one_in(6) ? -1 : memory_place(row_bytes(&at->in), 0);
        last = at->rows[k] >= 0 ? at->rows[k] : last;
    }
    at->output = memory_place(row_bytes(&at->out), 0);
    for (int32_t k = 0; k < at->window.rows; ++k) {
        if (at->rows[k] >= 0) {
            memory_write_random(at->rows[k], row_bytes(&at->in));
        }
    }
    at->constant_row = random_one_in(2) ? random_between(0, at->window.rows - 1) : -1;
    if (at->constant_row >= 0) {
        int8_t* row = memory_constant(row_bytes(&at->in), 1);
        if (row == NULL) {
            return 0;
        }
        random_int8s(row, row_bytes(&at->in));
        at->constant = row;
        at->rows[at->constant_row] = -1;
        last = -1;
    }
    if (at->output < 0) {
        return 0;
    }
    if (last >= 0 && may_be_in_place(at, channel_wise) && random_one_in(2)) {
        at->out.stride = at->in.stride;
        at->output = last;
        return 1;
    }
    for (int32_t tries = random_between(0, 1) * 12; tries > 0 && last >= 0; --tries) {
        const int32_t output = last + random_between(-row_bytes(&at->out), row_bytes(&at->in));
        if (output >= 16 && output + row_bytes(&at->out) + 16 <= WORKSPACE_BYTES && may_lie_at(at, output)) {
            at->output = output;
            return 1;
        }
    }
    return 1;
}

const int8_t* const* scene_rows(scene* at, side of) {
    for (int32_t k = 0; k < at->window.rows; ++k) {
        at->pointers[k] = at->rows[k] < 0 ? NULL : (const int8_t*)memory_at(of, at->rows[k]);
    }
    if (at->constant_row >= 0) {
        at->pointers[at->constant_row] = at->constant;
    }
    return at->pointers;
}

int draw_requantization(split_requantization* to, int32_t channels) {
    to->step = !random_one_in(4);
    const int32_t entries = to->step ? channels : 1;
    int8_t* shifts = memory_constant(entries, 1);
    int32_t* multipliers = memory_constant(entries * 4, 4);
    if (shifts == NULL || multipliers == NULL) {
        return 0;
    }
    const int usual = !random_one_in(3);
    for (int32_t i = 0; i < entries; ++i) {
        multipliers[i] = random_multiplier() & INT32_MAX; /* prepare lets no negative one through */
        shifts[i] = (int8_t)(usual ? random_between(-16, -1) : random_shift());
    }
    to->multipliers = multipliers;
    to->shifts = shifts;
    to->zero_point = random_between(-128, 127);
    random_range(&to->min, &to->max);
    return 1;
}
