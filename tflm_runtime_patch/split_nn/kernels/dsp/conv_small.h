/* The convolution of small windows (conv_small.c). Only for files built with SPLIT_NN_DSP. */
#ifndef SPLIT_NN_DSP_CONV_SMALL_H_
#define SPLIT_NN_DSP_CONV_SMALL_H_

#include "../kernels.h"

/* The most elements of a window of one tap, and of one that is copied first. */
#define SPLIT_DSP_SMALL_PIXEL 64
#define SPLIT_DSP_SMALL_WINDOW 52

/* Can split_dsp_conv_small_row compute this layer? */
static inline int split_dsp_is_small(const split_conv* conv, const split_pixels* in, const split_pixels* out) {
    const int32_t taps = conv->window.rows * conv->window.columns;
    const int32_t elements = taps * in->channels;
    return conv->groups == 1 && out->columns >= 2 && out->channels >= 4 && elements >= 4 &&
           elements <= (taps == 1 ? SPLIT_DSP_SMALL_PIXEL : SPLIT_DSP_SMALL_WINDOW);
}

/* split_nn_conv_row() for layers with small windows, one group, and at least two columns. Rows may overlap as its rows
 * may: it reads the windows of up to three pixels before it writes the first of them. */
void split_dsp_conv_small_row(const split_conv* conv, const int8_t* const* rows, const split_pixels* in, int8_t* output,
                              const split_pixels* out);

#endif /* SPLIT_NN_DSP_CONV_SMALL_H_ */
