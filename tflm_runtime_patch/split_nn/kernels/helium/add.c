/* ADD and SUB: one output row on MVE, four elements at a time. Stack: below 350 bytes. */
#include "../target.h"

#if defined(SPLIT_NN_MVE)

#include "helium.h"

/* 2^left_shift in every lane, and the zero point multiplied by it. */
typedef struct term {
    int32x4_t unit;
    int32_t offset;
    int32_t multiplier;
    int32x4_t shift;
} term;

SPLIT_ALWAYS_INLINE term term_of(const split_add* add, int32_t zero_point, int32_t multiplier, int32_t shift) {
    const int32_t unit = (int32_t)1 << add->left_shift;
    const term of = {vdupq_n_s32(unit), -zero_point * unit, multiplier, vdupq_n_s32(shift)};
    return of;
}

/* `only_right`: all shifts are at most 0. */
SPLIT_ALWAYS_INLINE int32x4_t requantized(int32x4_t value, int32_t multiplier, int32x4_t shift, int only_right) {
    if (only_right) {
        return split_mve_rounding_shift_right(vqrdmulhq_n_s32(value, multiplier), shift);
    }
    return split_mve_requantize(value, vdupq_n_s32(multiplier), shift);
}

SPLIT_ALWAYS_INLINE int32x4_t sum_of(const split_add* add, const term* term1, const term* term2, int32x4_t value1,
                                     int32x4_t value2, int only_right) {
    value1 = vmlasq_n_s32(value1, term1->unit, term1->offset);
    value2 = vmlasq_n_s32(value2, term2->unit, term2->offset);
    value1 = requantized(value1, term1->multiplier, term1->shift, only_right);
    value2 = requantized(value2, term2->multiplier, term2->shift, only_right);
    int32x4_t sum = add->subtract ? vsubq_s32(value1, value2) : vaddq_s32(value1, value2);
    sum = requantized(sum, add->output_multiplier, vdupq_n_s32(add->output_shift), only_right);
    return split_mve_to_range(sum, add->zero_point, add->min, add->max);
}

SPLIT_ALWAYS_INLINE void add_pixel(const split_add* shared, const split_operand* first, const split_operand* second,
                                   int8_t* output, int32_t channels, int only_right) {
    const split_add add = *shared;
    const split_operand operand1 = *first, operand2 = *second;
    const term term1 = term_of(&add, operand1.zero_point, add.multiplier1, add.shift1);
    const term term2 = term_of(&add, operand2.zero_point, add.multiplier2, add.shift2);
    const int8_t *data1 = operand1.data, *data2 = operand2.data;
    if (only_right && operand1.channel_stride == 1 && operand2.channel_stride == 1) {
        for (; channels >= SPLIT_MVE_WORDS; channels -= SPLIT_MVE_WORDS) {
            const int32x4_t sum = sum_of(&add, &term1, &term2, vldrbq_s32(data1), vldrbq_s32(data2), only_right);
            vstrbq_s32(output, sum);
            data1 += SPLIT_MVE_WORDS;
            data2 += SPLIT_MVE_WORDS;
            output += SPLIT_MVE_WORDS;
        }
    }
    for (; channels > 0; channels -= SPLIT_MVE_WORDS) {
        const mve_pred16_t p = vctp32q((uint32_t)channels);
        const int32x4_t value1 = split_mve_operand4(data1, operand1.channel_stride, p);
        const int32x4_t value2 = split_mve_operand4(data2, operand2.channel_stride, p);
        vstrbq_p_s32(output, sum_of(&add, &term1, &term2, value1, value2, only_right), p);
        data1 += SPLIT_MVE_WORDS * operand1.channel_stride;
        data2 += SPLIT_MVE_WORDS * operand2.channel_stride;
        output += SPLIT_MVE_WORDS;
    }
}

/* If pixels have no gaps between them in all three rows, a row is treated as one long pixel. */
static int is_one_run(const split_operand* operand, const split_pixels* out) {
    return operand->channel_stride == 1 && operand->pixel_stride == out->channels && out->stride == out->channels;
}

void split_nn_add_row(const split_add* add, const split_operand* first, const split_operand* second, int8_t* output,
                      const split_pixels* out) {
    const int only_right = add->shift1 <= 0 && add->shift2 <= 0 && add->output_shift <= 0;
    const int one_run = is_one_run(first, out) && is_one_run(second, out);
    const int32_t pixels = one_run ? 1 : out->columns;
    const int32_t channels = one_run ? out->columns * out->channels : out->channels;
    split_operand operand1 = *first, operand2 = *second;
    for (int32_t x = pixels; x > 0; --x, output += out->stride) {
        if (only_right) {
            add_pixel(add, &operand1, &operand2, output, channels, 1);
        } else {
            add_pixel(add, &operand1, &operand2, output, channels, 0);
        }
        operand1.data += operand1.pixel_stride;
        operand2.data += operand2.pixel_stride;
    }
}

#endif /* SPLIT_NN_MVE */
