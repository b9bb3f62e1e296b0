/* The convolution with widened windows (conv_wide.c). Only for files built with SPLIT_NN_DSP. */
#ifndef SPLIT_NN_DSP_CONV_WIDE_H_
#define SPLIT_NN_DSP_CONV_WIDE_H_

#include "../kernels.h"

/* How many pixels split_dsp_conv_wide_row() can compute together in this row: 5, 3, 2, 1, or 0 if it cannot compute the row.
 * It needs windows that are small, or may be read again after some of their outputs were written. */
int32_t split_dsp_wide_lanes(const split_conv* conv, const int8_t* const* rows, const split_pixels* in,
                             const int8_t* output, const split_pixels* out);

/* split_nn_conv_row() where it can. Rows may overlap as its rows may. */
void split_dsp_conv_wide_row(const split_conv* conv, const int8_t* const* rows, const split_pixels* in, int8_t* output,
                             const split_pixels* out);

#endif /* SPLIT_NN_DSP_CONV_WIDE_H_ */
