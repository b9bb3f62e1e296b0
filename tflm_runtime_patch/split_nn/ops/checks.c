/* What the checks of several kinds share: quantisation and windows. */
#include "checks.h"

int split_requantization_is_sound(const uint8_t* program, uint32_t multipliers_offset, uint32_t shifts_offset,
                                  uint32_t entries) {
    if (!split_in_constants(program, multipliers_offset, (uint64_t)entries * 4u, 4u) ||
        !split_in_constants(program, shifts_offset, entries, 1u)) {
        return 0;
    }
    const int32_t* multipliers = (const int32_t*)split_at(program, multipliers_offset);
    const int8_t* shifts = (const int8_t*)split_at(program, shifts_offset);
    for (uint32_t i = 0; i < entries; ++i) {
        if (multipliers[i] < 0 || !split_is_shift(shifts[i])) { /* scales are positive, and kernels rely on it */
            return 0;
        }
    }
    return 1;
}

split_status split_check_quantized(const uint8_t* program, const split_quantized_params* quantized, uint32_t flags,
                                   uint32_t known, uint64_t weights_bytes, uint32_t channels) {
    if (!split_is_zero_point(quantized->input_zero_point) || !split_is_zero_point(quantized->output_zero_point) ||
        !split_is_int8_range(quantized->output_min, quantized->output_max) || (flags & ~known) != 0) {
        return SPLIT_ERROR_PARAMS;
    }
    const int sound = split_in_constants(program, quantized->weights_offset, weights_bytes, 16u) &&
                      split_in_constants(program, quantized->bias_offset, (uint64_t)channels * 4u, 4u) &&
                      split_requantization_is_sound(program, quantized->multipliers_offset, quantized->shifts_offset,
                                                    flags & SPLIT_WEIGHT_PER_CHANNEL ? channels : 1u);
    return sound ? SPLIT_OK : SPLIT_ERROR_CONSTANT;
}

static int shifts_fit(const uint8_t* program, uint32_t shifts_offset, uint32_t entries, uint32_t flags) {
    const int8_t* shifts = (const int8_t*)split_at(program, shifts_offset);
    for (uint32_t i = 0; i < entries && (flags & SPLIT_WEIGHT_SUMS_32) == 0; ++i) {
        if (shifts[i] > SPLIT_MAX_WIDE_SHIFT) {
            return 0;
        }
    }
    return 1;
}

split_status split_check_quantized_int16(const uint8_t* program, const split_quantized_int16_params* quantized,
                                         uint32_t flags, uint64_t weights_bytes, uint32_t channels) {
    const uint32_t known = SPLIT_WEIGHT_PER_CHANNEL | SPLIT_WEIGHT_SUMS_32;
    const uint32_t entries = flags & SPLIT_WEIGHT_PER_CHANNEL ? channels : 1u;
    if (!split_is_int16_range(quantized->output_min, quantized->output_max) || (flags & ~known) != 0) {
        return SPLIT_ERROR_PARAMS;
    }
    const int sound =
        split_in_constants(program, quantized->weights_offset, weights_bytes, 16u) &&
        split_in_constants(program, quantized->bias_offset, (uint64_t)channels * 8u, 4u) &&
        split_requantization_is_sound(program, quantized->multipliers_offset, quantized->shifts_offset, entries) &&
        shifts_fit(program, quantized->shifts_offset, entries, flags);
    return sound ? SPLIT_OK : SPLIT_ERROR_CONSTANT;
}

split_status split_check_window(const split_window_params* window, const split_op_views* views) {
    const uint64_t row_reach = (uint64_t)(views->output->row_count - 1u) * window->stride_rows;
    const uint64_t column_reach = (uint64_t)(views->output->column_count - 1u) * window->stride_columns;
    const int sound = split_in_range(window->kernel_rows, 1, SPLIT_MAX_WINDOW_ROWS) && window->kernel_columns >= 1 &&
                      window->stride_rows >= 1 && window->stride_columns >= 1 && window->dilation_rows >= 1 &&
                      window->dilation_columns >= 1 && row_reach < SPLIT_MAX_REACH && column_reach < SPLIT_MAX_REACH &&
                      (uint64_t)window->kernel_rows * window->dilation_rows < SPLIT_MAX_REACH &&
                      (uint64_t)window->kernel_columns * window->dilation_columns < SPLIT_MAX_REACH;
    const int32_t pad = window->pad_columns < 0 ? -window->pad_columns : window->pad_columns;
    const uint64_t pixels = column_reach + window->stride_columns + (uint32_t)pad +
                            (uint64_t)window->kernel_columns * window->dilation_columns;
    return sound && pixels * views->input->pixel_stride_bytes < SPLIT_MAX_REACH ? SPLIT_OK : SPLIT_ERROR_WINDOW;
}

static int meets_input(int32_t outputs, int32_t inputs, int32_t stride, int32_t pad, int32_t kernel, int32_t dilation) {
    for (int32_t i = 0; i < outputs; ++i) {
        const int32_t start = i * stride - pad;
        const int32_t tap = start >= 0 ? 0 : (dilation - 1 - start) / dilation; /* the first one at or after 0 */
        if (tap >= kernel || start + tap * dilation >= inputs) {
            return 0;
        }
    }
    return 1;
}

split_status split_check_pool_window(const split_window_params* window, const split_op_views* views, int sound) {
    if (views->input->channel_count != views->output->channel_count) {
        return SPLIT_ERROR_SHAPE;
    }
    if (!sound) {
        return SPLIT_ERROR_PARAMS;
    }
    if (split_check_window(window, views) != SPLIT_OK) {
        return SPLIT_ERROR_WINDOW;
    }
    const int meets = meets_input(views->output->row_count, views->input->row_count, window->stride_rows,
                                  window->pad_rows, window->kernel_rows, window->dilation_rows) &&
                      meets_input(views->output->column_count, views->input->column_count, window->stride_columns,
                                  window->pad_columns, window->kernel_columns, window->dilation_columns);
    return meets ? SPLIT_OK : SPLIT_ERROR_WINDOW;
}

split_status split_check_grouped_window(const split_window_params* window, uint32_t groups, int depthwise,
                                        const split_op_views* views, uint64_t* weights) {
    const uint32_t in = views->input->channel_count;
    const uint32_t out = views->output->channel_count;
    const split_status status = split_check_window(window, views);
    if (status != SPLIT_OK) {
        return status;
    }
    if (groups == 0) {
        return SPLIT_ERROR_PARAMS;
    }
    *weights = split_capped_product((uint64_t)window->kernel_rows * window->kernel_columns, out);
    if (depthwise) {
        return out % groups == 0 && out / groups == in ? SPLIT_OK : SPLIT_ERROR_SHAPE;
    }
    *weights = split_capped_product(*weights, in / groups);
    return in % groups == 0 && out % groups == 0 ? SPLIT_OK : SPLIT_ERROR_SHAPE;
}
