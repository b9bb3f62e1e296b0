#include <stddef.h>
#include <string.h>

#include "variants.h"

typedef struct drawn {
    split_operand operands[2];
    int32_t offsets[2];         /* in the workspace, */
    const int8_t* constants[2]; /* unless it is a constant */
    split_pixels out;
    int32_t output;
} drawn;

/* Rule 2 of split_nn.h: the output beside its operands, or on one that is not broadcast. */
static int draw(drawn* at) {
    at->out.columns = random_between(1, 9);
    at->out.channels = random_one_in(2) ? random_between(1, 12) : RANDOM_OF(15, 16, 17, 31, 32, 33, 64);
    at->out.stride = at->out.channels + RANDOM_OF(0, 0, 1, 5);
    at->output = memory_place(at->out.columns * at->out.stride, 0);
    for (int i = 0; i < 2; ++i) {
        split_operand* operand = &at->operands[i];
        operand->channel_stride = !random_one_in(5);
        operand->pixel_stride = random_one_in(5) ? 0 : at->out.channels + RANDOM_OF(0, 0, 1, 2);
        operand->zero_point = random_between(-128, 127);
        const int32_t bytes =
            operand->pixel_stride * (at->out.columns - 1) + (operand->channel_stride ? at->out.channels : 1);
        at->offsets[i] = memory_place(bytes, 0);
        if (at->offsets[i] < 0 || at->output < 0) {
            return 0;
        }
        memory_write_random(at->offsets[i], bytes);
        at->constants[i] = NULL;
        if (random_one_in(4)) {
            int8_t* constant = memory_constant(bytes, 1);
            random_int8s(constant, bytes);
            at->constants[i] = constant;
            continue;
        }
        const int is_whole = operand->channel_stride == 1 && (operand->pixel_stride > 0 || at->out.columns == 1);
        if (is_whole && random_one_in(3)) {
            at->output = at->offsets[i];
            at->out.stride = operand->pixel_stride > 0 ? operand->pixel_stride : at->out.stride;
        }
    }
    return 1;
}

static const split_operand* operand_of(drawn* at, int i, side of) {
    at->operands[i].data = at->constants[i] != NULL ? at->constants[i] : memory_at(of, at->offsets[i]);
    return &at->operands[i];
}

int case_add(void) {
    drawn at;
    if (!draw(&at)) {
        return -1;
    }
    const int usual = !random_one_in(4);
    split_add add = {.left_shift = usual ? 20 : random_between(0, 20),
                     .multiplier1 = random_multiplier(),
                     .shift1 = usual ? random_between(-4, 0) : random_shift(),
                     .multiplier2 = random_multiplier(),
                     .shift2 = usual ? random_between(-4, 0) : random_shift(),
                     .output_multiplier = random_multiplier(),
                     .output_shift = usual ? random_between(-22, -15) : random_shift(),
                     .zero_point = random_between(-128, 127),
                     .subtract = random_one_in(3)};
    random_range(&add.min, &add.max);
    portable_add_row(&add, operand_of(&at, 0, PORTABLE), operand_of(&at, 1, PORTABLE), memory_at(PORTABLE, at.output),
                     &at.out);
    split_nn_add_row(&add, operand_of(&at, 0, VARIANT), operand_of(&at, 1, VARIANT), memory_at(VARIANT, at.output),
                     &at.out);
    return memory_is_equal();
}

int case_mul(void) {
    drawn at;
    if (!draw(&at)) {
        return -1;
    }
    split_mul mul = {
        .multiplier = random_multiplier(), .shift = random_shift(), .zero_point = random_between(-128, 127)};
    random_range(&mul.min, &mul.max);
    portable_mul_row(&mul, operand_of(&at, 0, PORTABLE), operand_of(&at, 1, PORTABLE), memory_at(PORTABLE, at.output),
                     &at.out);
    split_nn_mul_row(&mul, operand_of(&at, 0, VARIANT), operand_of(&at, 1, VARIANT), memory_at(VARIANT, at.output),
                     &at.out);
    return memory_is_equal();
}

int case_lut(void) {
    const int32_t element_bytes = RANDOM_OF(1, 1, 4);
    split_pixels in = {random_between(1, 9), random_between(1, 40), 0}, out = in;
    in.stride = in.channels + RANDOM_OF(0, 0, 1, 3);
    out.stride = (out.channels + RANDOM_OF(0, 0, 1)) * element_bytes;
    uint8_t* table = memory_constant(256 * element_bytes, 4);
    const int32_t input = memory_place(in.columns * in.stride, 0);
    int32_t output = memory_place(out.columns * out.stride, element_bytes == 4);
    if (element_bytes == 1 && random_one_in(3)) {
        output = input;
        out.stride = in.stride;
    }
    random_int8s((int8_t*)table, 256 * element_bytes);
    portable_lut_row(table, element_bytes, memory_at(PORTABLE, input), &in, memory_at(PORTABLE, output), &out);
    split_nn_lut_row(table, element_bytes, memory_at(VARIANT, input), &in, memory_at(VARIANT, output), &out);
    return memory_is_equal();
}

/* Rule 4: it may start where it reads. */
int case_quantize_float(void) {
    split_pixels in = {random_between(1, 9), random_between(1, 20), 0}, out = in;
    in.stride = (in.channels + RANDOM_OF(0, 0, 1)) * 4;
    out.stride = out.channels + RANDOM_OF(0, 0, 1, 2);
    const int32_t input = memory_place(in.columns * in.stride, 1);
    const int32_t output = random_one_in(3) ? input : memory_place(out.columns * out.stride, 0);
    split_quantize quantize = {1.0f, random_between(-128, 127), -128, 127};
    const float scales[] = {1.0f, 0.5f, 0.0123f, 3.7e-9f, 1e30f, 1.2e-38f};
    quantize.scale = scales[random_between(0, 5)];
    if (random_one_in(2)) {
        random_range(&quantize.min, &quantize.max);
    } else {
        quantize.min = 0;
        quantize.max = 255;
    }
    for (int32_t i = 0; i < in.columns * in.stride; i += 4) {
        const uint32_t special[] = {0x7F800000u, 0xFF800000u, 0x7FC00000u, 0x7FA00001u, 0u, 0x80000000u, 0x4F000000u};
        const uint32_t bits = random_one_in(6) ? special[random_between(0, 6)] : random_bits();
        float value = (float)random_between(-600, 600) * 0.5f * quantize.scale;
        if (random_one_in(3)) {
            memcpy(&value, &bits, sizeof(value));
        }
        memory_write(input + i, &value, 4);
    }
    portable_quantize_float_row(&quantize, memory_at(PORTABLE, input), &in, memory_at(PORTABLE, output), &out);
    split_nn_quantize_float_row(&quantize, memory_at(VARIANT, input), &in, memory_at(VARIANT, output), &out);
    return memory_is_equal();
}

int case_pad(void) {
    split_pad pad = {random_between(0, 3), random_between(0, 2) * random_between(0, 9), 1,
                     (int8_t)random_between(-128, 127)};
    split_pixels in = {random_between(1, 9), random_between(1, 40), 0}, out;
    if (random_one_in(3)) {
        pad.columns = pad.channels = 0;
        pad.element_bytes = RANDOM_OF(1, 4);
    }
    const int is_copy = pad.columns == 0 && pad.channels == 0;
    out.columns = in.columns + pad.columns + (is_copy ? 0 : random_between(0, 3));
    out.channels = in.channels + pad.channels + (is_copy ? 0 : random_between(0, 2) * random_between(0, 9));
    in.stride = (in.channels + RANDOM_OF(0, 0, 1)) * pad.element_bytes;
    out.stride = (out.channels + RANDOM_OF(0, 0, 1)) * pad.element_bytes;
    memory_place(64, 0);
    const int32_t input = memory_place(in.columns * in.stride, pad.element_bytes == 4);
    int32_t output = memory_place(out.columns * out.stride, pad.element_bytes == 4);
    if (is_copy && random_one_in(3)) { /* rule 2: in place; or rule 1: on the pixels before */
        output = random_one_in(2) || pad.element_bytes == 4 ? input : input - in.channels - random_between(0, 20);
        out.stride = in.stride;
    }
    const int is_padding = random_one_in(8);
    portable_pad_row(&pad, is_padding ? NULL : memory_at(PORTABLE, input), &in, memory_at(PORTABLE, output), &out);
    split_nn_pad_row(&pad, is_padding ? NULL : memory_at(VARIANT, input), &in, memory_at(VARIANT, output), &out);
    return memory_is_equal();
}
