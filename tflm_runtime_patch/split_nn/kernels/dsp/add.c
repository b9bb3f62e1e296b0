/* ADD and SUB: one output row. Stack: below 150 bytes. */
#include "../kernels.h"
#include "../target.h"

#if defined(SPLIT_NN_DSP)

#include "dsp.h"

/* How one operand's elements are brought to the common scale. */
typedef struct rescale {
    int32_t unit;   /* 2^(left shift + 1), since the upper half of the product is taken of twice the value */
    int32_t origin; /* -zero point * unit */
    int32_t multiplier;
    int32_t right; /* -shift, 0..31 */
    int32_t half;  /* 2^right / 2 */
    int32_t ties;  /* -1 if bits are shifted out, so that ties of negative values round down; otherwise 0 */
} rescale;

static rescale rescale_of(int32_t zero_point, int32_t left_shift, int32_t multiplier, int32_t shift) {
    const int32_t unit = (int32_t)1 << (left_shift + 1);
    const int32_t right = -shift;
    const rescale to = {unit,
                        -zero_point * unit,
                        multiplier,
                        right,
                        (int32_t)((UINT32_C(1) << (uint32_t)right) >> 1),
                        right > 0 ? -1 : 0};
    return to;
}

/* The argument is below 2^29 in magnitude and the result below 2^28, so nothing overflows. */
static inline int32_t rescaled(const rescale* to, int32_t element) {
    const int32_t high = split_upper_product(element * to->unit + to->origin, to->multiplier);
    return (high + to->half + (to->ties & (high >> 31))) >> to->right;
}

/* The general case: some shift is to the left, or the output's shift is 0. */
static void add_any(const split_add* add, const int8_t* data1, int32_t step1, int32_t zero_point1, const int8_t* data2,
                    int32_t step2, int32_t zero_point2, int8_t* output, int32_t count) {
    const int32_t unit = (int32_t)1 << add->left_shift;
    for (int32_t i = 0; i < count; ++i, data1 += step1, data2 += step2) {
        const int32_t value1 = split_requantize((*data1 - zero_point1) * unit, add->multiplier1, add->shift1);
        const int32_t value2 = split_requantize((*data2 - zero_point2) * unit, add->multiplier2, add->shift2);
        int32_t sum = add->subtract ? split_wrapping_sub(value1, value2) : split_wrapping_add(value1, value2);
        sum = split_requantize(sum, add->output_multiplier, add->output_shift);
        output[i] = (int8_t)split_clamp(split_wrapping_add(sum, add->zero_point), add->min, add->max);
    }
}

static void add_plain(const split_add* add, const rescale* to1, const int8_t* data1, int32_t step1, const rescale* to2,
                      const int8_t* data2, int32_t step2, int8_t* output, int32_t count) {
    const split_dsp_scale scale = {add->output_multiplier, ~add->output_shift};
    const int32_t nudge = 2 * add->zero_point + 1;
    const int32_t min = add->min, max = add->max, subtract = add->subtract;
    const rescale first = *to1, second = *to2;
    for (; count > 0; --count, data1 += step1, data2 += step2) {
        const int32_t value1 = rescaled(&first, *data1), value2 = rescaled(&second, *data2);
        const int32_t sum = subtract ? value1 - value2 : value1 + value2;
        *output++ = (int8_t)split_clamp(split_dsp_requantize_twice(2 * sum, scale, nudge), min, max);
    }
}

/* rescaled() with a left shift of LEFT. The sign is taken of what is multiplied: it differs from that of the product only if
 * that is 0, and then the 1 that is subtracted does not matter. */
#define LEFT 20
SPLIT_ALWAYS_INLINE int32_t rescaled_fast(const rescale* to, int32_t element) {
    const int32_t value = to->origin + (int32_t)((uint32_t)element << (LEFT + 1));
    int32_t high;
    __asm__("smmlar %0, %1, %2, %3" : "=r"(high) : "r"(value), "r"(to->multiplier), "r"(to->half));
    return (high + (to->ties & (value >> 31))) >> to->right;
}

/* A sum of two, not a difference, of contiguous elements, with the left shift that TFLM takes and an output range that is all
 * of int8. */
static SPLIT_NOINLINE void add_fast(const split_add* add, const rescale* to1, const int8_t* data1, const rescale* to2,
                                    const int8_t* data2, int8_t* output, int32_t count) {
    const split_dsp_fast_scale scale =
        split_dsp_fast_scale_of(add->output_multiplier, add->output_shift, 2 * add->zero_point + 1);
    const rescale first = *to1, second = *to2;
    const int8_t* const end = output + count;
    while (output != end) {
        const uint32_t sum = (uint32_t)rescaled_fast(&first, *data1++) + (uint32_t)rescaled_fast(&second, *data2++);
        *output++ = (int8_t)split_dsp_to_int8_fast(sum, scale);
    }
}

void split_nn_add_row(const split_add* add, const split_operand* first, const split_operand* second, int8_t* output,
                      const split_pixels* out) {
    const int plain = add->shift1 <= 0 && add->shift2 <= 0 && add->output_shift < 0;
    const int fast = plain && !add->subtract && add->left_shift == LEFT && add->min == INT8_MIN &&
                     add->max == INT8_MAX && first->channel_stride == 1 && second->channel_stride == 1 &&
                     split_dsp_is_fast(add->output_multiplier, add->output_shift);
    const rescale to1 = rescale_of(first->zero_point, add->left_shift, add->multiplier1, plain ? add->shift1 : 0);
    const rescale to2 = rescale_of(second->zero_point, add->left_shift, add->multiplier2, plain ? add->shift2 : 0);
    for (int32_t x = 0; x < out->columns; ++x) {
        const int8_t* data1 = first->data + x * first->pixel_stride;
        const int8_t* data2 = second->data + x * second->pixel_stride;
        int8_t* pixel = output + x * out->stride;
        if (fast) {
            add_fast(add, &to1, data1, &to2, data2, pixel, out->channels);
        } else if (plain) {
            add_plain(add, &to1, data1, first->channel_stride, &to2, data2, second->channel_stride, pixel,
                      out->channels);
        } else {
            add_any(add, data1, first->channel_stride, first->zero_point, data2, second->channel_stride,
                    second->zero_point, pixel, out->channels);
        }
    }
}

#endif /* SPLIT_NN_DSP */
