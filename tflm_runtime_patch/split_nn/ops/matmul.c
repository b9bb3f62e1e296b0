/* BATCH_MATMUL: what prepare checks, and what a step does. Stack of a step: SPLIT_BLOCK_CHANNELS sums and
 * SPLIT_MATMUL_PIXELS pointers, below 350 bytes on a 32-bit machine, and the kernel's own. */
#include "../kernels/shared_int8.h"
#include "../core/machine.h"
#include "checks.h"
#include "ops.h"

split_status split_check_matmul(const uint8_t* program, const split_op* op, const split_op_views* views) {
    const split_matmul_params* params = (const split_matmul_params*)split_at(program, op->params_offset);
    const split_view* left = views->input;
    const split_view* right = views->input2;
    const split_view* out = views->output;
    if (params->left_rows < 1 || params->right_rows < 1 || params->transposed > 1 ||
        !split_is_zero_point(params->left_zero_point) || !split_is_zero_point(params->right_zero_point) ||
        !split_is_zero_point(params->output_zero_point) || !split_is_shift(params->shift)) {
        return SPLIT_ERROR_PARAMS;
    }
    const uint32_t batches = (uint32_t)out->row_count / params->left_rows;
    const uint64_t pixels = (uint64_t)params->right_rows * right->column_count;
    const int whole_batches =
        out->row_count % params->left_rows == 0 &&
        (right->row_count == params->right_rows || right->row_count == params->right_rows * batches);
    const int same_pixels = left->row_count == out->row_count && left->column_count == out->column_count;
    const int sums_fit = params->transposed
                             ? left->channel_count == right->channel_count && out->channel_count == pixels
                             : left->channel_count == pixels && out->channel_count == right->channel_count;
    if (!whole_batches || !same_pixels || !sums_fit) {
        return SPLIT_ERROR_SHAPE;
    }
    return split_rows_have_addresses(program, right) ? SPLIT_OK : SPLIT_ERROR_ROW; /* each step reads most of them */
}

/* A cursor over the right operand: the next pixel. */
typedef struct right_cursor {
    const split_view* view;
    uint32_t row;
    uint32_t column;
} right_cursor;

/* Pointers to the next `count` pixels, each at channel `channel`. Rows may lie anywhere, so each pixel
 * needs its own. */
static void next_pixels(const split_machine* at, right_cursor* cursor, int32_t channel, const int8_t** pixels,
                        int32_t count) {
    for (int32_t k = 0; k < count; ++k) {
        const uint8_t* row = split_read_row(at, cursor->view, cursor->row);
        pixels[k] = (const int8_t*)row + (size_t)cursor->column * cursor->view->pixel_stride_bytes + channel;
        if (++cursor->column == cursor->view->column_count) {
            cursor->column = 0;
            ++cursor->row;
        }
    }
}

static int32_t at_most(int32_t count, int32_t limit) {
    return count < limit ? count : limit;
}

/* The dot products of one left pixel with each right pixel. */
static void dot_pixels(const split_machine* at, const split_matmul* matmul, const int8_t* left, int32_t depth,
                       right_cursor right, int8_t* output, int32_t outputs) {
    const int8_t* pixels[SPLIT_MATMUL_PIXELS];
    for (int32_t first = 0; first < outputs; first += SPLIT_MATMUL_PIXELS) {
        const int32_t count = at_most(outputs - first, SPLIT_MATMUL_PIXELS);
        next_pixels(at, &right, 0, pixels, count);
        split_nn_matmul_dots(matmul, left, depth, pixels, count, output + first);
    }
}

/* The sum of the right pixels, each multiplied by its element of the left pixel. */
static void add_pixels(const split_machine* at, const split_matmul* matmul, const int8_t* left, int32_t depth,
                       right_cursor right, int8_t* output, int32_t channels) {
    uint32_t sums[SPLIT_BLOCK_CHANNELS];
    const int8_t* pixels[SPLIT_MATMUL_PIXELS];
    for (int32_t channel = 0; channel < channels; channel += SPLIT_BLOCK_CHANNELS) {
        const int32_t block = at_most(channels - channel, SPLIT_BLOCK_CHANNELS);
        right_cursor from = right;
        for (int32_t c = 0; c < block; ++c) {
            sums[c] = matmul->start;
        }
        for (int32_t first = 0; first < depth; first += SPLIT_MATMUL_PIXELS) {
            const int32_t count = at_most(depth - first, SPLIT_MATMUL_PIXELS);
            next_pixels(at, &from, channel, pixels, count);
            split_nn_matmul_add(matmul, left + first, pixels, count, sums, block);
        }
        split_nn_matmul_finish(matmul, sums, block, output + channel);
    }
}

/* sum((x1 - zp1) * (x2 - zp2)) is sum((x1 - zp1) * x2) plus this, which is the same for every right
 * pixel or channel. */
static uint32_t start_of(const int8_t* left, int32_t depth, int32_t left_zero_point, int32_t right_zero_point) {
    uint32_t sum = 0;
    for (int32_t i = 0; i < depth; ++i) {
        sum += (uint32_t)(left[i] - left_zero_point);
    }
    return sum * (uint32_t)-right_zero_point;
}

void split_run_matmul(const split_machine* at, const split_op* op, uint32_t row) {
    const split_matmul_params* params = (const split_matmul_params*)split_at(at->program, op->params_offset);
    const split_view* output = split_view_of(at, op->output);
    const split_view* right = split_view_of(at, op->input2);
    const split_view* left = split_view_of(at, op->input);
    const split_pixels in = split_pixels_of(left);
    const split_pixels out = split_pixels_of(output);
    const right_cursor from = {right, row / params->left_rows * params->right_rows % right->row_count, 0};
    const int8_t shift = (int8_t)params->shift;
    const int8_t* read = (const int8_t*)split_read_row(at, left, row);
    int8_t* written = (int8_t*)split_write_row(at, output, row);
    for (int32_t x = 0; x < out.columns; ++x) {
        const int8_t* pixel = read + x * in.stride;
        const split_matmul matmul = {
            {&params->multiplier, &shift, 0, params->output_zero_point, INT8_MIN, INT8_MAX},
            params->left_zero_point,
            start_of(pixel, in.channels, params->left_zero_point, params->right_zero_point),
        };
        if (params->transposed) {
            dot_pixels(at, &matmul, pixel, in.channels, from, written + x * out.stride, out.channels);
        } else {
            add_pixels(at, &matmul, pixel, in.channels, from, written + x * out.stride, out.channels);
        }
    }
}
