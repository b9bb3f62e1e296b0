/* LSTM, LSTM_INT16, SIGMOID_INT16: what prepare checks, and what a step does. The sums of a unit are those of a
 * FULLY_CONNECTED with eight outputs. Stack of a step: below 250 bytes on a 32-bit machine, and the kernel's own. */
#include <string.h>

#include "../core/machine.h"
#include "../kernels/shared_int16.h"
#include "checks.h"
#include "int16.h"
#include "ops.h"

#define GATES 4
#define SUMS 8 /* of a unit: those of the input, then the recurrent ones */

/* `parts` elements of a row of states belong to a unit. */
static split_status check_lstm(const uint8_t* program, const split_op* op, const split_op_views* views, uint32_t parts,
                               uint32_t bias_bytes) {
    const split_lstm_params* lstm = (const split_lstm_params*)split_at(program, op->params_offset);
    const split_view *in = views->input, *states = views->input2, *out = views->output;
    if (in->column_count != 1 || states->column_count != 1 || out->column_count != 1 ||
        out->channel_count % parts != 0 || states->channel_count != out->channel_count ||
        in->row_count != out->row_count || states->row_count < out->row_count) {
        return SPLIT_ERROR_SHAPE;
    }
    const int sound = split_in_range(lstm->multiplier, 0, SPLIT_MAX_SIGMOID_MULTIPLIER) &&
                      split_in_range(lstm->shift, 0, 31) && lstm->forget_multiplier >= 0 &&
                      split_is_shift(lstm->forget_shift) && lstm->cell_multiplier >= 0 &&
                      split_is_shift(lstm->cell_shift) && lstm->hidden_multiplier >= 0 &&
                      split_is_shift(lstm->hidden_shift) && split_in_range(lstm->cell_clip, 0, INT16_MAX) &&
                      (parts == 3 ? split_is_zero_point(lstm->hidden_zero_point)
                                  : split_is_int16_range(lstm->hidden_zero_point, lstm->hidden_zero_point));
    if (!sound) {
        return SPLIT_ERROR_PARAMS;
    }
    const uint64_t units = out->channel_count / parts;
    const uint64_t weights = split_capped_product(units * GATES, (uint32_t)(in->channel_count + units));
    const int held = split_in_constants(program, lstm->weights_offset, weights, 16u) &&
                     split_in_constants(program, lstm->bias_offset, units * SUMS * bias_bytes, 4u) &&
                     split_in_constants(program, lstm->sigmoid_offset, 2u * SPLIT_SIGMOID_ENTRIES, 2u) &&
                     split_requantization_is_sound(program, lstm->multipliers_offset, lstm->shifts_offset, SUMS);
    return held ? SPLIT_OK : SPLIT_ERROR_CONSTANT;
}

split_status split_check_lstm(const uint8_t* program, const split_op* op, const split_op_views* views) {
    return check_lstm(program, op, views, 3u, 4u);
}

split_status split_check_lstm_int16(const uint8_t* program, const split_op* op, const split_op_views* views) {
    const split_lstm_params* lstm = (const split_lstm_params*)split_at(program, op->params_offset);
    const split_status status = check_lstm(program, op, views, 2u, 8u);
    if (status != SPLIT_OK) {
        return status;
    }
    const int8_t* shifts = (const int8_t*)split_at(program, lstm->shifts_offset);
    for (int32_t k = 0; k < SUMS; ++k) {
        if (shifts[k] > SPLIT_MAX_WIDE_SHIFT) {
            return SPLIT_ERROR_CONSTANT;
        }
    }
    return SPLIT_OK;
}

split_status split_check_sigmoid_int16(const uint8_t* program, const split_op* op, const split_op_views* views) {
    const split_sigmoid_int16_params* sigmoid = (const split_sigmoid_int16_params*)split_at(program, op->params_offset);
    if (!split_same_shape(views->input, views->output)) {
        return SPLIT_ERROR_SHAPE;
    }
    if ((sigmoid->mode != SPLIT_UNARY_LOGISTIC && sigmoid->mode != SPLIT_UNARY_TANH) ||
        !split_in_range(sigmoid->multiplier, 0, SPLIT_MAX_SIGMOID_MULTIPLIER) ||
        !split_in_range(sigmoid->shift, 0, 31)) {
        return SPLIT_ERROR_PARAMS;
    }
    return split_in_constants(program, sigmoid->sigmoid_offset, 2u * SPLIT_SIGMOID_ENTRIES, 2u) ? SPLIT_OK
                                                                                                : SPLIT_ERROR_CONSTANT;
}

/* The row of the second operand and the input row, both of the same number. */
int split_reads_step(const uint8_t* program, const split_op* op, uint32_t row) {
    return split_has_address(program, op->input, row) && split_has_address(program, op->input2, row);
}

void split_run_sigmoid_int16(const split_machine* at, const split_op* op, uint32_t row) {
    const split_sigmoid_int16_params* from =
        (const split_sigmoid_int16_params*)split_at(at->program, op->params_offset);
    const split_sigmoid_int16 sigmoid = {from->mode, (const uint16_t*)split_at(at->program, from->sigmoid_offset),
                                         from->multiplier, from->shift};
    const split_view* input = split_view_of(at, op->input);
    const split_pixels in = split_pixels_of(input);
    const split_pixels out = split_pixels_of(split_view_of(at, op->output));
    split_nn_sigmoid_int16_row(&sigmoid, split_read_int16(at, input, row), &in, split_write_int16(at, op->output, row),
                               &out);
}

static split_lstm lstm_of(const uint8_t* program, const split_lstm_params* from, int32_t hidden_min,
                          int32_t hidden_max) {
    const split_lstm lstm = {
        {SPLIT_UNARY_TANH, (const uint16_t*)split_at(program, from->sigmoid_offset), from->multiplier, from->shift},
        from->forget_multiplier,
        from->forget_shift,
        from->cell_multiplier,
        from->cell_shift,
        from->hidden_multiplier,
        from->hidden_shift,
        from->hidden_zero_point,
        hidden_min,
        hidden_max,
        from->cell_clip,
    };
    return lstm;
}

/* gates[g] is what the input's sum and the recurrent one of gate g come to, together. */
static void add_gates(const int32_t* scaled, int32_t* gates) {
    for (int32_t g = 0; g < GATES; ++g) {
        const int32_t input = split_clamp(scaled[g], INT16_MIN, INT16_MAX);
        const int32_t recurrent = split_clamp(scaled[GATES + g], INT16_MIN, INT16_MAX);
        gates[g] = split_clamp(input + recurrent, INT16_MIN, INT16_MAX);
    }
}

void split_run_lstm(const split_machine* at, const split_op* op, uint32_t row) {
    const split_lstm_params* params = (const split_lstm_params*)split_at(at->program, op->params_offset);
    const split_lstm lstm = lstm_of(at->program, params, INT8_MIN, INT8_MAX);
    const int32_t* multipliers = (const int32_t*)split_at(at->program, params->multipliers_offset);
    const int8_t* shifts = (const int8_t*)split_at(at->program, params->shifts_offset);
    const int32_t* bias = (const int32_t*)split_at(at->program, params->bias_offset);
    const split_pixels in = split_pixels_of(split_view_of(at, op->input));
    const int32_t units = (int32_t)split_view_of(at, op->output)->channel_count / 3;
    const split_pixels states = {1, units, units};
    const int8_t* input = (const int8_t*)split_read_row(at, split_view_of(at, op->input), row);
    const uint8_t* before = split_read_row(at, split_view_of(at, op->input2), row);
    uint8_t* after = split_write_row(at, split_view_of(at, op->output), row);
    split_dense sums_of = {{multipliers, shifts, 0, 0, INT8_MIN, INT8_MAX},
                           (const int8_t*)split_at(at->program, params->weights_offset),
                           0};
    for (int32_t u = 0; u < units; ++u) {
        int32_t sums[SUMS], gates[GATES], cell;
        int16_t narrow;
        memcpy(sums, bias + SUMS * u, sizeof(sums));
        sums_of.weights_step = in.channels;
        split_nn_dense_row(&sums_of, input, &in, sums, GATES);
        sums_of.weights += GATES * in.channels;
        sums_of.weights_step = units;
        split_nn_dense_row(&sums_of, (const int8_t*)before + 2 * units, &states, sums + GATES, GATES);
        sums_of.weights += GATES * units;
        for (int32_t k = 0; k < SUMS; ++k) {
            sums[k] = split_requantize(sums[k], multipliers[k], shifts[k]);
        }
        add_gates(sums, gates);
        memcpy(&narrow, before + 2 * u, sizeof(narrow)); /* states are bytes: cells may lie at odd addresses */
        cell = narrow;
        after[2 * units + u] = (uint8_t)split_nn_lstm_unit(&lstm, gates, &cell);
        narrow = (int16_t)cell;
        memcpy(after + 2 * u, &narrow, sizeof(narrow));
    }
}

void split_run_lstm_int16(const split_machine* at, const split_op* op, uint32_t row) {
    const split_lstm_params* params = (const split_lstm_params*)split_at(at->program, op->params_offset);
    const split_lstm lstm = lstm_of(at->program, params, INT16_MIN, INT16_MAX);
    const split_scaling_int16 scaling = {(const int32_t*)split_at(at->program, params->multipliers_offset),
                                         (const int8_t*)split_at(at->program, params->shifts_offset),
                                         1,
                                         0,
                                         INT16_MIN,
                                         INT16_MAX};
    const int32_t* bias = (const int32_t*)split_at(at->program, params->bias_offset);
    const split_pixels in = split_pixels_of(split_view_of(at, op->input));
    const int32_t units = (int32_t)split_view_of(at, op->output)->channel_count / 2;
    const split_pixels states = {1, units, 2 * units};
    const int16_t* input = split_read_int16(at, split_view_of(at, op->input), row);
    const int16_t* before = split_read_int16(at, split_view_of(at, op->input2), row);
    int16_t* after = split_write_int16(at, op->output, row);
    split_dense_int16 sums_of = {scaling, (const int8_t*)split_at(at->program, params->weights_offset), 0};
    for (int32_t u = 0; u < units; ++u) {
        int32_t halves[2 * SUMS], scaled[SUMS], gates[GATES], cell = before[u];
        memcpy(halves, bias + 2 * SUMS * u, sizeof(halves));
        sums_of.weights_step = in.channels;
        split_nn_dense_int16_row(&sums_of, input, &in, halves, GATES);
        sums_of.weights += GATES * in.channels;
        sums_of.weights_step = units;
        split_nn_dense_int16_row(&sums_of, before + units, &states, halves + 2 * GATES, GATES);
        sums_of.weights += GATES * units;
        for (int32_t k = 0; k < SUMS; ++k) {
            scaled[k] = split_to_int16(&scaling, k, split_join_halves(halves + 2 * k));
        }
        add_gates(scaled, gates);
        after[units + u] = (int16_t)split_nn_lstm_unit(&lstm, gates, &cell);
        after[u] = (int16_t)cell;
    }
}
