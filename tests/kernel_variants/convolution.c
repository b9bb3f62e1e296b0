#include <stddef.h>

#include "variants.h"

/* Draws what CONV and DEPTHWISE share. */
static int draw(split_conv* conv, scene* at, int32_t weights_bytes, int channel_wise) {
    const int32_t lowest = random_between(0, 2); /* weights, input or tables end where the RAM ends */
    int8_t* weights = lowest == 0 ? memory_constant(weights_bytes, 1) : NULL;
    if (lowest == 1 && !scene_place(at, channel_wise)) {
        return 0;
    }
    int32_t* bias = memory_constant(at->out.channels * 4, 4);
    if (bias == NULL || !draw_requantization(&conv->requantization, at->out.channels) ||
        (lowest != 1 && !scene_place(at, channel_wise))) {
        return 0;
    }
    weights = lowest == 0 ? weights : memory_constant(weights_bytes, 1);
    if (weights == NULL) {
        return 0;
    }
    random_int8s(weights, weights_bytes);
    const int usual = !random_one_in(3);
    for (int32_t c = 0; c < at->out.channels; ++c) {
        bias[c] = usual ? random_between(-100000, 100000) : random_int32();
    }
    conv->window = at->window;
    conv->weights = weights;
    conv->bias = bias;
    conv->input_zero_point = random_one_in(2) ? random_between(-128, 127) : RANDOM_OF(-128, 127, 0);
    return 1;
}

/* Work that a case may be, in multiply-accumulates of its portable twin. */
#define MOST_MACS 60000

int case_conv(void) {
    scene at = {0};
    split_conv conv;
    const int large = random_one_in(3);
    const int32_t depth = large ? RANDOM_OF(15, 16, 17, 24, 32, 33, 48, 49, 64, 65, 79, 80, 81, 96, 97, 112, 130, 200)
                                : random_between(1, 12);
    const int32_t filters = random_one_in(3) ? random_between(1, 5) : RANDOM_OF(7, 8, 16, 31, 32, 33, 36, 66);
    conv.groups = random_one_in(4) ? random_between(1, 3) : 1;
    at.window.rows = random_one_in(3) ? 1 : random_between(1, 4);
    at.window.columns = random_one_in(3) ? 1 : random_between(1, 5);
    at.in.channels = depth * conv.groups;
    at.out.channels = filters * conv.groups;
    const int32_t filter_bytes = at.window.rows * at.window.columns * depth;
    if (filter_bytes * at.out.channels * 5 > MOST_MACS || !draw(&conv, &at, filter_bytes * at.out.channels, 0)) {
        return -1;
    }
    const split_pixels out = at.out;
    portable_conv_row(&conv, scene_rows(&at, PORTABLE), &at.in, memory_at(PORTABLE, at.output), &out);
    split_nn_conv_row(&conv, scene_rows(&at, VARIANT), &at.in, memory_at(VARIANT, at.output), &out);
    return memory_is_equal();
}

int case_depthwise(void) {
    scene at = {0};
    split_conv conv;
    conv.groups = random_one_in(3) ? RANDOM_OF(2, 3, 8, 20) : 1;
    at.in.channels =
        conv.groups > 1 ? RANDOM_OF(1, 1, 2, 5, 17) : RANDOM_OF(1, 2, 3, 7, 8, 15, 16, 17, 24, 31, 32, 33, 64, 65);
    at.out.channels = at.in.channels * conv.groups;
    at.window.rows = random_one_in(2) ? 3 : random_between(1, 6);
    at.window.columns = at.window.rows == 3 && !random_one_in(3) ? 3 : random_between(1, 6);
    if (random_one_in(20)) { /* more products than an int16 holds the rest of */
        at.window.rows = random_between(10, 32);
        at.window.columns = random_between(10, 20);
    }
    const int32_t taps = at.window.rows * at.window.columns;
    if (taps * at.out.channels * 5 > MOST_MACS || !draw(&conv, &at, taps * at.out.channels, conv.groups == 1)) {
        return -1;
    }
    const split_pixels out = at.out;
    portable_depthwise_row(&conv, scene_rows(&at, PORTABLE), &at.in, memory_at(PORTABLE, at.output), &out);
    split_nn_depthwise_row(&conv, scene_rows(&at, VARIANT), &at.in, memory_at(VARIANT, at.output), &out);
    return memory_is_equal();
}
