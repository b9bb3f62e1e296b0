/* Runs on a board: the kernels built for its processor and the portable ones, renamed portable_*, on the same
 * random cases in two copies of one memory. Every byte of it must be equal afterwards. Prints the first case
 * that differs. In half of the cases the weights, in half the rows, end where RAM ends: a kernel that reads one
 * byte further faults. SEED, CASES and RAM_END come from the compiler's command line. */
#include <stdint.h>
#include <string.h>

#include "board_guard.h"
#include "semihosting.h"
#include "generated/split_nn_format.h"
#include "kernels/kernels.h"

__typeof__(split_nn_conv_row) portable_conv_row;
__typeof__(split_nn_depthwise_row) portable_depthwise_row;
__typeof__(split_nn_average_pool_row) portable_average_pool_row;
__typeof__(split_nn_max_pool_row) portable_max_pool_row;
__typeof__(split_nn_add_row) portable_add_row;
__typeof__(split_nn_mul_row) portable_mul_row;
__typeof__(split_nn_sum_row) portable_sum_row;
__typeof__(split_nn_sum_finish) portable_sum_finish;
__typeof__(split_nn_dense_row) portable_dense_row;
__typeof__(split_nn_dense_finish) portable_dense_finish;
__typeof__(split_nn_matmul_dots) portable_matmul_dots;
__typeof__(split_nn_matmul_add) portable_matmul_add;
__typeof__(split_nn_matmul_finish) portable_matmul_finish;
__typeof__(split_nn_conv_sum_row) portable_conv_sum_row;
__typeof__(split_nn_conv_sum_finish) portable_conv_sum_finish;

enum { ARENA = 24 * 1024, INPUTS = 10 * 1024, OUTPUTS = 20 * 1024, WEIGHTS = 24 * 1024, CHANNELS = 160, SUMS = 800 };

static int8_t before[ARENA], expected[ARENA], computed_in_the_middle[ARENA], weights_in_the_middle[WEIGHTS];
static int8_t* computed;

/* Where `bytes` bytes of weights lie. */
static const int8_t* weights_of(int32_t bytes) {
    int8_t* const last = (int8_t*)RAM_END - bytes;
    if (computed != computed_in_the_middle) {
        return weights_in_the_middle;
    }
    memcpy(last, weights_in_the_middle, (size_t)bytes);
    return last;
}

static int32_t bias[CHANNELS], multipliers[CHANNELS], sums_expected[SUMS], sums_computed[SUMS];
static int8_t shifts[CHANNELS];

static uint32_t state = SEED;

static uint32_t next(void) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

/* Low and high included. */
static int32_t between(int32_t low, int32_t high) {
    return low + (int32_t)((next() >> 4) % (uint32_t)(high - low + 1));
}

static int one_in(int32_t n) {
    return between(1, n) == 1;
}

static int32_t one_of(const int32_t* values, int32_t count) {
    return values[between(0, count - 1)];
}
#define ONE_OF(...) one_of((const int32_t[]){__VA_ARGS__}, (int32_t)(sizeof((const int32_t[]){__VA_ARGS__}) / 4))

/* Noise, or nothing but extremes: products and sums are then as large as they get. */
static void fill(int8_t* bytes, int32_t count) {
    const int32_t mode = between(0, 5);
    for (int32_t i = 0; i < count; ++i) {
        const int8_t noise = (int8_t)next();
        bytes[i] = mode == 0 ? -128 : mode == 1 ? 127 : mode == 2 ? (noise & 1 ? -128 : 127) : noise;
    }
}

static int32_t extreme_int32(void) {
    return ONE_OF(INT32_MIN, INT32_MAX, INT32_MIN + 1, 1 << 30, -(1 << 30), (1 << 30) - 1, 0, -1);
}

/* Sums of `products` products, brought to about int8; or anything else that prepare lets through. */
static split_requantization requantization(int32_t channels, int32_t products) {
    const int32_t mode = between(0, 7);
    int32_t bits = 6;
    while (products > 1) {
        products /= 2;
        ++bits;
    }
    for (int32_t c = 0; c < channels; ++c) {
        multipliers[c] = mode == 0 ? extreme_int32() : between(1 << 30, INT32_MAX);
        shifts[c] = (int8_t)(mode == 1 ? between(-31, 30) : mode == 2 ? between(-31, -20) : between(-bits - 2, -bits));
        bias[c] = mode == 3 ? (int32_t)next() : mode == 4 ? extreme_int32() : between(-20000, 20000);
    }
    const int32_t low = one_in(3) ? between(-128, 127) : -128;
    const split_requantization to = {multipliers,        shifts, one_in(3) ? 0 : 1,
                                     between(-128, 127), low,    one_in(3) ? between(low, 127) : 127};
    return to;
}

/* A case's memory: inputs below INPUTS, outputs from there on, unless they may share. */
typedef struct windows {
    split_window window;
    split_pixels in;
    split_pixels out;
    int32_t rows[SPLIT_MAX_WINDOW_ROWS]; /* offsets, -1: padding */
    int32_t output;
} windows;

static int32_t row_bytes(const split_pixels* pixels) {
    return (pixels->columns - 1) * pixels->stride + pixels->channels;
}

static int32_t first_column(const split_window* window, int32_t x) {
    const int32_t column = x * window->stride - window->pad;
    return column < 0 ? 0 : column;
}

/* The largest offset at which each output pixel lies on nothing but what earlier pixels' windows read. */
static int32_t closest_output(const windows* at, int32_t row) {
    int32_t closest = row - at->out.channels;
    for (int32_t x = 0; x < at->out.columns; ++x) {
        const int32_t column = first_column(&at->window, x);
        const int32_t limit =
            row + (column < at->in.columns ? column : at->in.columns) * at->in.stride - x * at->out.stride;
        closest = limit - at->out.channels < closest ? limit - at->out.channels : closest;
    }
    return closest;
}

/* Places rows and output; `in_place` allows the channel-wise kernels' exact sharing. */
static void place(windows* at, int channel_wise) {
    const int32_t length = row_bytes(&at->in);
    const int32_t shared = between(0, at->window.rows - 1);
    for (int32_t k = 0; k < at->window.rows; ++k) {
        at->rows[k] = one_in(6) ? -1 : between(0, INPUTS - length);
    }
    at->output = between(INPUTS, OUTPUTS - row_bytes(&at->out));
    if (at->rows[shared] < 0) {
        return;
    }
    if (!one_in(3)) {
        at->rows[shared] = one_in(2) ? ARENA - length : at->rows[shared];
        return;
    }
    at->rows[shared] = between(OUTPUTS - length, ARENA - length) & ~(one_in(2) ? 3 : 0);
    const int32_t further = one_in(3) ? between(0, 40) : one_in(2) ? between(0, 3) * at->out.stride : 0;
    const int32_t output = closest_output(at, at->rows[shared]) - further;
    if (output >= INPUTS && output + row_bytes(&at->out) <= ARENA) {
        at->output = output;
    }
    if (channel_wise && at->window.columns == 1 && at->window.stride == 1 && at->window.pad == 0 &&
        at->out.columns <= at->in.columns && (at->out.stride == at->in.stride || at->out.columns == 1) && one_in(2)) {
        at->output = at->rows[shared];
    }
}

static windows some_windows(int32_t in_channels, int32_t out_channels, int channel_wise) {
    windows at;
    const int32_t size = ONE_OF(0, 1, 1, 2, 3, 4);
    at.window.rows = size == 0 ? between(1, 11) : size == 1 ? 1 : size == 2 ? 3 : size == 3 ? 5 : between(1, 4);
    at.window.columns = size == 0 ? between(1, 8) : size == 1 ? 1 : size == 2 ? 3 : size == 3 ? 5 : between(1, 4);
    at.window.stride = between(1, 3);
    at.window.dilation = one_in(3) ? between(2, 3) : 1;
    at.window.pad = one_in(2) ? at.window.columns / 2 : between(-2, 3);
    at.in.columns = between(1, 14);
    at.in.channels = in_channels;
    at.in.stride = in_channels + (one_in(3) ? between(1, 5) : 0);
    at.out.columns = between(1, 9);
    at.out.channels = out_channels;
    at.out.stride = out_channels + (one_in(3) ? between(1, 5) : 0);
    if (channel_wise && one_in(4)) {
        at.window.columns = at.window.stride = 1;
        at.window.pad = 0;
        at.out.stride = at.in.stride;
    }
    if (at.out.columns == 1 && one_in(2)) {
        at.out.stride = 0;
    }
    place(&at, channel_wise);
    return at;
}

static void resolve(const windows* at, const int8_t* memory, const int8_t** rows) {
    for (int32_t k = 0; k < at->window.rows; ++k) {
        rows[k] = at->rows[k] < 0 ? NULL : memory + at->rows[k];
    }
}

static void conv_case(void) {
    const int32_t groups = one_in(5) ? between(2, 3) : 1;
    const int32_t depth = ONE_OF(1, 1, 2, 3, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 31, 32, 33, 48, 64, 100);
    const int32_t filters = between(1, one_in(4) ? 24 : 9);
    windows at = some_windows(groups * depth, groups * filters, 0);
    while (groups * filters * at.window.rows * at.window.columns * depth > WEIGHTS - 8) {
        at.window.rows = (at.window.rows + 1) / 2;
        at.window.columns = (at.window.columns + 1) / 2;
        place(&at, 0);
    }
    const split_conv conv = {at.window,
                             requantization(groups * filters, at.window.rows * at.window.columns * depth),
                             weights_of(groups * filters * at.window.rows * at.window.columns * depth),
                             bias,
                             between(-128, 127),
                             groups};
    const int8_t* rows[SPLIT_MAX_WINDOW_ROWS];
    resolve(&at, expected, rows);
    portable_conv_row(&conv, rows, &at.in, expected + at.output, &at.out);
    resolve(&at, computed, rows);
    split_nn_conv_row(&conv, rows, &at.in, computed + at.output, &at.out);
}

static void conv_sum_case(void) {
    const int32_t depth = ONE_OF(1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 17, 31, 32, 33);
    windows at = some_windows(depth, between(1, 9), 0);
    while (at.out.columns * at.out.channels > SUMS) {
        at.out.columns /= 2;
    }
    while (at.out.channels * at.window.rows * at.window.columns * depth > WEIGHTS - 8) {
        at.window.rows = (at.window.rows + 1) / 2;
        at.window.columns = (at.window.columns + 1) / 2;
    }
    place(&at, 0);
    const int32_t filter = at.window.rows * at.window.columns * depth;
    const split_conv conv = {at.window,
                             requantization(at.out.channels, filter),
                             weights_of(at.out.channels * filter),
                             bias,
                             between(-128, 127),
                             1};
    const split_pixels dense = {at.out.columns, at.out.channels, at.out.channels};
    const int8_t* rows[SPLIT_MAX_WINDOW_ROWS];
    for (int32_t i = 0; i < at.out.columns * at.out.channels; ++i) {
        sums_expected[i] = sums_computed[i] = (int32_t)next() >> between(0, 20);
    }
    resolve(&at, expected, rows);
    portable_conv_sum_row(&conv, rows, &at.in, sums_expected, &at.out);
    portable_conv_sum_finish(&conv.requantization, sums_expected, expected + OUTPUTS, &dense);
    resolve(&at, computed, rows);
    split_nn_conv_sum_row(&conv, rows, &at.in, sums_computed, &at.out);
    split_nn_conv_sum_finish(&conv.requantization, sums_computed, computed + OUTPUTS, &dense);
    /* The row may start where its sums do. */
    portable_conv_sum_finish(&conv.requantization, sums_expected, (int8_t*)(void*)sums_expected, &dense);
    split_nn_conv_sum_finish(&conv.requantization, sums_computed, (int8_t*)(void*)sums_computed, &dense);
}

static void depthwise_case(void) {
    const int32_t multiplier = ONE_OF(1, 1, 1, 1, 2, 3, 4, 8);
    const int32_t channels = ONE_OF(1, 2, 3, 4, 5, 8, 8, 12, 13, 16, 17);
    const windows at = some_windows(channels, channels * multiplier, multiplier == 1);
    const split_conv conv = {at.window,
                             requantization(channels * multiplier, at.window.rows * at.window.columns),
                             weights_of(at.window.rows * at.window.columns * channels * multiplier),
                             bias,
                             between(-128, 127),
                             multiplier};
    const int8_t* rows[SPLIT_MAX_WINDOW_ROWS];
    resolve(&at, expected, rows);
    portable_depthwise_row(&conv, rows, &at.in, expected + at.output, &at.out);
    resolve(&at, computed, rows);
    split_nn_depthwise_row(&conv, rows, &at.in, computed + at.output, &at.out);
}

static void pool_case(int average) {
    const int32_t channels = between(1, one_in(4) ? 40 : 13);
    windows at = some_windows(channels, channels, 1);
    if (one_in(8)) { /* more taps than an int16 can sum */
        at.window.rows = 32;
        at.window.columns = 14;
        at.window.dilation = 1;
        at.out.columns = at.out.columns < 3 ? at.out.columns : 3;
        place(&at, 1);
    }
    const int32_t low = one_in(3) ? between(-128, 127) : -128;
    const split_pool pool = {at.window, low, one_in(3) ? between(low, 127) : 127};
    const int8_t* rows[SPLIT_MAX_WINDOW_ROWS];
    resolve(&at, expected, rows);
    (average ? portable_average_pool_row : portable_max_pool_row)(&pool, rows, &at.in, expected + at.output, &at.out);
    resolve(&at, computed, rows);
    (average ? split_nn_average_pool_row : split_nn_max_pool_row)(&pool, rows, &at.in, computed + at.output, &at.out);
}

/* Not on the outputs, sometimes right at the end. */
static int32_t some_input(int32_t bytes) {
    return one_in(2) && bytes <= ARENA - OUTPUTS ? ARENA - bytes : between(0, INPUTS - bytes);
}

static int32_t some_shift(int mode, int32_t low, int32_t high) {
    return mode == 0 ? between(-31, 30) : between(low, high);
}

static int32_t some_multiplier(int mode) {
    return mode == 1 ? extreme_int32() : between(1 << 30, INT32_MAX);
}

static void binary_case(int multiplies) {
    const int mode = between(0, 4);
    const split_pixels out = {between(1, 9), between(1, 21), 0};
    split_pixels of = out;
    of.stride = of.channels + (one_in(3) ? between(1, 5) : 0);
    int32_t offsets[2], output = between(INPUTS, OUTPUTS - row_bytes(&of));
    split_operand operands[2];
    for (int32_t i = 0; i < 2; ++i) {
        const int broadcast_columns = one_in(5), broadcast_channels = one_in(5);
        offsets[i] = some_input(row_bytes(&of));
        operands[i] =
            (split_operand){NULL, broadcast_columns ? 0 : of.stride, broadcast_channels ? 0 : 1, between(-128, 127)};
    }
    const int32_t in_place = between(0, 2);
    if (in_place < 2 && operands[in_place].pixel_stride != 0 && operands[in_place].channel_stride != 0) {
        offsets[in_place] = output;
    }
    const int32_t low = one_in(3) ? between(-128, 127) : -128;
    const int32_t high = one_in(3) ? between(low, 127) : 127;
    const split_add add = {between(0, 20),
                           some_multiplier(mode),
                           some_shift(mode, -4, 0),
                           some_multiplier(mode),
                           some_shift(mode, -4, 0),
                           some_multiplier(mode),
                           some_shift(mode, -20, -15),
                           between(-128, 127),
                           low,
                           high,
                           one_in(2)};
    const split_mul mul = {some_multiplier(mode), some_shift(mode, -10, -5), between(-128, 127), low, high};
    for (int32_t fast = 0; fast < 2; ++fast) {
        int8_t* const memory = fast ? computed : expected;
        operands[0].data = memory + offsets[0];
        operands[1].data = memory + offsets[1];
        if (multiplies) {
            (fast ? split_nn_mul_row : portable_mul_row)(&mul, &operands[0], &operands[1], memory + output, &of);
        } else {
            (fast ? split_nn_add_row : portable_add_row)(&add, &operands[0], &operands[1], memory + output, &of);
        }
    }
}

static void fill_sums(void) {
    for (int32_t c = 0; c < CHANNELS; ++c) {
        sums_expected[c] = one_in(4) ? (int32_t)next() : between(-100000, 100000);
    }
    memcpy(sums_computed, sums_expected, sizeof sums_expected);
}

static void sum_case(void) {
    split_pixels in = {between(1, 9), between(1, 40), 0};
    if (one_in(6)) {
        in.columns = between(250, 600);
        in.channels = between(1, 13);
    }
    in.stride = in.channels + (one_in(3) ? between(1, 3) : 0);
    const int32_t low = one_in(3) ? between(-128, 127) : -128;
    const split_sum sum = {one_in(2) ? SPLIT_MEAN_AVERAGE_POOL : SPLIT_MEAN_MEAN,
                           one_in(3) ? between(1, 1 << 23) : between(1, 1000),
                           (int32_t)(one_in(3) ? (int32_t)next() : between(-10000, 10000)),
                           some_multiplier(between(0, 4)),
                           one_in(4) ? between(-31, 30) : between(-12, -5),
                           between(-128, 127),
                           low,
                           one_in(3) ? between(low, 127) : 127};
    const int32_t input = some_input(row_bytes(&in)), output = between(INPUTS, OUTPUTS - in.channels);
    fill_sums();
    portable_sum_row(expected + input, &in, sums_expected);
    portable_sum_finish(&sum, sums_expected, in.channels, expected + output);
    split_nn_sum_row(computed + input, &in, sums_computed);
    split_nn_sum_finish(&sum, sums_computed, in.channels, computed + output);
}

static void dense_case(void) {
    split_pixels in = {between(1, 6), between(1, 40), 0};
    in.stride = in.channels + (one_in(3) ? between(1, 3) : 0);
    const int32_t outputs = between(1, 13), elements = in.columns * in.channels;
    const int32_t step = elements * between(1, 2);
    const split_dense dense = {requantization(outputs, elements), weights_of((outputs - 1) * step + elements), step};
    const int32_t input = some_input(row_bytes(&in)), output = between(INPUTS, OUTPUTS - outputs);
    fill_sums();
    portable_dense_row(&dense, expected + input, &in, sums_expected, outputs);
    portable_dense_finish(&dense, sums_expected, outputs, expected + output);
    split_nn_dense_row(&dense, computed + input, &in, sums_computed, outputs);
    split_nn_dense_finish(&dense, sums_computed, outputs, computed + output);
}

static void matmul_case(void) {
    const int32_t depth = between(1, 40), count = between(1, SPLIT_MATMUL_PIXELS), channels = between(1, 32);
    const split_matmul matmul = {requantization(1, depth), between(-128, 127), (uint32_t)between(-100000, 100000)};
    const int32_t left = some_input(depth), output = between(INPUTS, OUTPUTS - 64);
    const int8_t* expected_right[SPLIT_MATMUL_PIXELS];
    const int8_t* computed_right[SPLIT_MATMUL_PIXELS];
    for (int32_t k = 0; k < count; ++k) {
        const int32_t right = some_input(depth > channels ? depth : channels);
        expected_right[k] = expected + right;
        computed_right[k] = computed + right;
    }
    portable_matmul_dots(&matmul, expected + left, depth, expected_right, count, expected + output);
    split_nn_matmul_dots(&matmul, computed + left, depth, computed_right, count, computed + output);
    fill_sums();
    const int32_t factors = some_input(count);
    portable_matmul_add(&matmul, expected + factors, expected_right, count, (uint32_t*)(void*)sums_expected, channels);
    portable_matmul_finish(&matmul, (uint32_t*)(void*)sums_expected, channels, expected + output + 16);
    split_nn_matmul_add(&matmul, computed + factors, computed_right, count, (uint32_t*)(void*)sums_computed, channels);
    split_nn_matmul_finish(&matmul, (uint32_t*)(void*)sums_computed, channels, computed + output + 16);
}

static const char* const names[] = {"conv", "depthwise", "average_pool", "max_pool", "add",
                                    "mul",  "sum_feed",  "dense_feed",   "conv_sum", "matmul"};

static void run_case(int32_t kernel) {
    switch (kernel) {
        case 0:
            conv_case();
            break;
        case 1:
            depthwise_case();
            break;
        case 2:
        case 3:
            pool_case(kernel == 2);
            break;
        case 4:
        case 5:
            binary_case(kernel == 5);
            break;
        case 6:
            sum_case();
            break;
        case 8:
            conv_sum_case();
            break;
        case 9:
            matmul_case();
            break;
        default:
            dense_case();
            break;
    }
}

#ifdef READ_BEHIND_RAM
#define FIRST_BYTE_BEHIND 0
#else
#define FIRST_BYTE_BEHIND (-1)
#endif

int main(void) {
    guard_ram_end();
    trap_divisions_by_zero();
    (void)((const volatile int8_t*)RAM_END)[FIRST_BYTE_BEHIND];
    uint32_t different_outputs = 0; /* cases that wrote something: the comparison is not of two idle kernels */
    for (uint32_t i = 0; i < CASES; ++i) {
        const int32_t kernel = ONE_OF(0, 0, 0, 0, 1, 1, 1, 1, 2, 3, 4, 5, 6, 7, 8, 8, 9);
        const uint32_t seed = state;
        computed = one_in(2) ? (int8_t*)RAM_END - ARENA : computed_in_the_middle;
        fill(before, ARENA);
        fill(weights_in_the_middle, WEIGHTS);
        memcpy(expected, before, ARENA);
        memcpy(computed, before, ARENA);
        memset(sums_expected, 0, sizeof sums_expected);
        memset(sums_computed, 0, sizeof sums_computed);
        run_case(kernel);
        if (memcmp(expected, computed, ARENA) != 0 || memcmp(sums_expected, sums_computed, sizeof sums_expected) != 0) {
            int32_t at = 0;
            while (at < ARENA && expected[at] == computed[at]) {
                ++at;
            }
            semihosting_print("different ");
            semihosting_print(names[kernel]);
            semihosting_print("\n");
            semihosting_print_value("case", i);
            semihosting_print_value("state", seed);
            semihosting_print_value("byte", (uint64_t)at);
            return 0;
        }
        different_outputs += memcmp(before, expected, ARENA) != 0 ? 1u : 0u;
    }
    semihosting_print_value("cases", CASES);
    semihosting_print_value("wrote", different_outputs);
    return 1;
}
