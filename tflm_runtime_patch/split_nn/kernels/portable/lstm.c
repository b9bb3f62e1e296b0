/* SIGMOID_INT16: the logistic function and tanh of a row. LSTM: from gates to states. Stack: below 120 bytes. */
#include "../../generated/split_nn_format.h"
#include "../shared_int16.h"

/* A gate's sum has 12 bits behind the point: three of its units are one 512th of a step of the table. */
#define GATE_MULTIPLIER 3

/* The table at `steps`, which has `bits` bits behind the point; `beyond` after its end. Unsigned, so that the tables of a
 * hostile program wrap. */
static uint32_t between(const uint16_t* table, uint32_t steps, uint32_t bits, uint32_t beyond) {
    const uint32_t whole = steps >> bits;
    if (whole >= SPLIT_SIGMOID_ENTRIES - 1) {
        return beyond;
    }
    const uint32_t here = table[whole];
    return (here << bits) + (steps & ((UINT32_C(1) << bits) - 1u)) * (table[whole + 1u] - here);
}

static uint32_t magnitude(int32_t x) {
    return x < 0 ? 0u - (uint32_t)x : (uint32_t)x;
}

/* x counts 512 to a step of the table. */
static int16_t logistic(const uint16_t* table, int32_t x) {
    const uint32_t found = between(table, magnitude(x), 9u, UINT32_C(0x7fff) << 10);
    return (int16_t)((x >= 0 ? found + 512u : (UINT32_C(1) << 25) - found + 511u) >> 10);
}

/* tanh(x) = 2 * logistic(2 * x) - 1: x counts 256 to a step of the table. */
static int16_t hyperbolic_tangent(const uint16_t* table, int32_t x) {
    const int32_t above = (int32_t)(between(table, magnitude(x), 8u, UINT32_C(0xffff) << 8) - (UINT32_C(1) << 23));
    return (int16_t)((x >= 0 ? above + 128 : -above + 127) >> 8);
}

static int16_t scaled(const split_sigmoid_int16* sigmoid, int32_t value) {
    const int32_t half = sigmoid->shift > 0 ? (int32_t)(UINT32_C(1) << (uint32_t)(sigmoid->shift - 1)) : 0;
    const int32_t x = (value * sigmoid->multiplier + half) >> sigmoid->shift;
    return sigmoid->mode == SPLIT_UNARY_LOGISTIC ? logistic(sigmoid->table, x) : hyperbolic_tangent(sigmoid->table, x);
}

void split_nn_sigmoid_int16_row(const split_sigmoid_int16* sigmoid, const int16_t* input, const split_pixels* in,
                                int16_t* output, const split_pixels* out) {
    for (int32_t x = 0; x < out->columns; ++x) {
        const int16_t* from = split_pixel_int16(input, x, in->stride);
        int16_t* to = split_output_int16(output, x, out->stride);
        for (int32_t c = 0; c < out->channels; ++c) {
            to[c] = scaled(sigmoid, from[c]);
        }
    }
}

static int32_t product(int32_t a, int32_t b, int32_t multiplier, int32_t shift) {
    return split_clamp(split_requantize(a * b, multiplier, shift), INT16_MIN, INT16_MAX);
}

int32_t split_nn_lstm_unit(const split_lstm* lstm, const int32_t* gates, int32_t* cell) {
    const uint16_t* table = lstm->tanh_of_cell.table;
    const int32_t forget = logistic(table, gates[0] * GATE_MULTIPLIER);
    const int32_t input = logistic(table, gates[1] * GATE_MULTIPLIER);
    const int32_t candidate = hyperbolic_tangent(table, gates[2] * GATE_MULTIPLIER);
    const int32_t output = logistic(table, gates[3] * GATE_MULTIPLIER);
    const int32_t kept = product(forget, *cell, lstm->forget_multiplier, lstm->forget_shift);
    const int32_t added = product(input, candidate, lstm->cell_multiplier, lstm->cell_shift);
    int32_t after = split_clamp(kept + added, INT16_MIN, INT16_MAX);
    if (lstm->cell_clip > 0) {
        after = split_clamp(after, -lstm->cell_clip, lstm->cell_clip);
    }
    *cell = after;
    const int32_t hidden =
        split_requantize(scaled(&lstm->tanh_of_cell, after) * output, lstm->hidden_multiplier, lstm->hidden_shift);
    return split_clamp(split_wrapping_add(hidden, lstm->hidden_zero_point), lstm->hidden_min, lstm->hidden_max);
}
