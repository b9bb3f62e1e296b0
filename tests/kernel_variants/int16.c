#include <stddef.h>

#include "kernels/kernels_int16.h"
#include "generated/split_nn_format.h"
#include "variants.h"

__typeof__(split_nn_conv_int16_row) portable_conv_int16_row;
__typeof__(split_nn_binary_int16_row) portable_binary_int16_row;

/* Work that a case may be, in multiply-accumulates of its portable twin. */
#define MOST_MACS 60000
#define VALUE_BYTES ((int32_t)sizeof(int16_t))

static int32_t row_bytes(const split_pixels* pixels) {
    return (pixels->columns - 1) * pixels->stride + pixels->channels * VALUE_BYTES;
}

static void draw_range(int32_t* low, int32_t* high) {
    *low = random_one_in(3) ? random_between(-32768, 32767) : -32768;
    *high = random_one_in(3) ? random_between(*low, 32767) : 32767;
}

static int draw_scaling(split_scaling_int16* to, int32_t channels) {
    to->step = !random_one_in(4);
    to->sums_32 = random_one_in(5);
    const int32_t entries = to->step ? channels : 1, highest = to->sums_32 ? 30 : 7;
    int8_t* shifts = memory_constant(entries, 1);
    int32_t* multipliers = memory_constant(entries * 4, 4);
    if (shifts == NULL || multipliers == NULL) {
        return 0;
    }
    const int usual = !random_one_in(3);
    for (int32_t i = 0; i < entries; ++i) {
        multipliers[i] = usual ? random_between(0x40000000, INT32_MAX) : random_multiplier();
        shifts[i] = (int8_t)(usual ? random_between(-16, 0) : random_between(-31, highest));
    }
    to->multipliers = multipliers;
    to->shifts = shifts;
    draw_range(&to->min, &to->max);
    return 1;
}

static int draw_conv(split_conv_int16* conv, split_pixels* in, split_pixels* out, int32_t rows[4]) {
    split_window* const window = &conv->window;
    const int32_t weights_bytes = window->rows * window->columns * in->channels / conv->groups * out->channels;
    int8_t* const weights = memory_constant(weights_bytes, 1);
    int32_t* const bias = memory_constant(out->channels * 8, 4);
    if (weights == NULL || bias == NULL || !draw_scaling(&conv->scaling, out->channels)) {
        return 0;
    }
    random_int8s(weights, weights_bytes);
    const int usual = !random_one_in(3);
    for (int32_t c = 0; c < out->channels; ++c) {
        bias[2 * c] = usual ? random_between(-100000, 100000) : random_int32();
        bias[2 * c + 1] = usual || random_one_in(2) ? bias[2 * c] >> 31 : random_int32();
    }
    window->stride = RANDOM_OF(1, 1, 1, 2, 3);
    window->dilation = RANDOM_OF(1, 1, 1, 2, 3);
    window->pad = RANDOM_OF(0, 0, 0, 1, 2, 3, -1);
    in->columns = random_between(1, 9);
    out->columns = random_between(1, 8);
    in->stride = (in->channels + RANDOM_OF(0, 0, 0, 1, 5)) * VALUE_BYTES;
    out->stride = (out->channels + RANDOM_OF(0, 0, 1, 3)) * VALUE_BYTES;
    for (int32_t k = 0; k < window->rows; ++k) {
        rows[k] = random_one_in(6) ? -1 : memory_place(row_bytes(in), 1);
        if (rows[k] >= 0) {
            memory_write_random(rows[k], row_bytes(in));
        }
    }
    conv->weights = weights;
    conv->bias = bias;
    return 1;
}

int case_conv_int16(void) {
    split_conv_int16 conv;
    split_pixels in, out;
    int32_t rows[4];
    const int32_t depth = random_one_in(2) ? RANDOM_OF(15, 16, 17, 24, 31, 32, 33, 47, 48, 49, 64, 65, 96, 97, 112)
                                           : random_between(1, 12);
    const int32_t filters = random_one_in(3) ? random_between(1, 5) : RANDOM_OF(7, 8, 16, 31, 32, 33, 36, 66);
    conv.groups = random_one_in(4) ? random_between(1, 3) : 1;
    conv.window.rows = random_one_in(3) ? 1 : random_between(1, 4);
    conv.window.columns = random_one_in(3) ? 1 : random_between(1, 5);
    in.channels = depth * conv.groups;
    out.channels = filters * conv.groups;
    if (conv.window.rows * conv.window.columns * depth * out.channels * 5 > MOST_MACS ||
        !draw_conv(&conv, &in, &out, rows)) {
        return -1;
    }
    const int32_t output = memory_place(row_bytes(&out), 1);
    if (output < 0) {
        return -1;
    }
    const int16_t* of[2][4];
    for (int32_t k = 0; k < conv.window.rows; ++k) {
        of[PORTABLE][k] = rows[k] < 0 ? NULL : memory_at(PORTABLE, rows[k]);
        of[VARIANT][k] = rows[k] < 0 ? NULL : memory_at(VARIANT, rows[k]);
    }
    portable_conv_int16_row(&conv, of[PORTABLE], &in, memory_at(PORTABLE, output), &out);
    split_nn_conv_int16_row(&conv, of[VARIANT], &in, memory_at(VARIANT, output), &out);
    return memory_is_equal();
}

/* The output beside its operands, or on one that is not broadcast. */
int case_binary_int16(void) {
    split_pixels out = {random_between(1, 9), random_one_in(2) ? random_between(1, 12) : RANDOM_OF(15, 16, 17, 33), 0};
    out.stride = (out.channels + RANDOM_OF(0, 0, 1, 5)) * VALUE_BYTES;
    split_operand_int16 operands[2];
    const int16_t* constants[2] = {NULL, NULL};
    int32_t offsets[2], output = memory_place(row_bytes(&out), 1);
    for (int i = 0; i < 2; ++i) {
        split_operand_int16* const operand = &operands[i];
        operand->channel_stride = !random_one_in(5);
        operand->pixel_stride = random_one_in(5) ? 0 : out.channels + RANDOM_OF(0, 0, 1, 2);
        const int32_t values = operand->pixel_stride * (out.columns - 1) + (operand->channel_stride ? out.channels : 1);
        offsets[i] = memory_place(values * VALUE_BYTES, 1);
        if (offsets[i] < 0 || output < 0) {
            return -1;
        }
        memory_write_random(offsets[i], values * VALUE_BYTES);
        if (random_one_in(4)) {
            int8_t* const constant = memory_constant(values * VALUE_BYTES, VALUE_BYTES);
            random_int8s(constant, values * VALUE_BYTES);
            constants[i] = (const int16_t*)(const void*)constant;
        } else if (operand->channel_stride == 1 && operand->pixel_stride > 0 && random_one_in(3)) {
            output = offsets[i];
            out.stride = operand->pixel_stride * VALUE_BYTES;
        }
    }
    const int usual = !random_one_in(4);
    split_binary_int16 binary = {.mode = RANDOM_OF(SPLIT_BINARY_ADD, SPLIT_BINARY_SUB, SPLIT_BINARY_MUL),
                                 .left_shift = usual ? 15 : random_between(0, 15),
                                 .multiplier1 = random_multiplier(),
                                 .shift1 = usual ? random_between(-4, 0) : random_shift(),
                                 .multiplier2 = random_multiplier(),
                                 .shift2 = usual ? random_between(-4, 0) : random_shift(),
                                 .output_multiplier = random_multiplier(),
                                 .output_shift = usual ? random_between(-20, -12) : random_shift()};
    draw_range(&binary.min, &binary.max);
    for (int s = PORTABLE; s <= VARIANT; ++s) {
        for (int i = 0; i < 2; ++i) {
            operands[i].data = constants[i] != NULL ? constants[i] : memory_at((side)s, offsets[i]);
        }
        int16_t* const to = memory_at((side)s, output);
        if (s == PORTABLE) {
            portable_binary_int16_row(&binary, &operands[0], &operands[1], to, &out);
        } else {
            split_nn_binary_int16_row(&binary, &operands[0], &operands[1], to, &out);
        }
    }
    return memory_is_equal();
}
