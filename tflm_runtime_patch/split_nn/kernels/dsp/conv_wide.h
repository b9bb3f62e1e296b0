/* The convolution with widened windows (conv_wide.c). Only for files built with SPLIT_NN_DSP. */
#ifndef SPLIT_NN_DSP_CONV_WIDE_H_
#define SPLIT_NN_DSP_CONV_WIDE_H_

#include "../kernels.h"

/* split_nn_conv_row() where it can: returns 0, and has done nothing, where it cannot. It needs windows that are small, or may
 * be read again after some of their outputs were written. */
int32_t split_dsp_conv_wide_row(const split_conv* conv, const int8_t* const* rows, const split_pixels* in,
                                int8_t* output, const split_pixels* out);

#endif /* SPLIT_NN_DSP_CONV_WIDE_H_ */
