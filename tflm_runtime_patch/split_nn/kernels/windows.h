/* Windows: copies of them, and how many may be read before one pixel is written. */
#ifndef SPLIT_NN_WINDOWS_H_
#define SPLIT_NN_WINDOWS_H_

#include "kernels.h"

/* How many output pixels may be written before the window of the first of them has been read?
 * All of them, if the output row overlaps no input row. Otherwise the overlap rules of split_nn.h limit their number.
 * With `channel_wise` it is also all of them if the rows overlap at a distance of whole pixels. Each channel then
 * overlaps only itself, and the kernel takes the pixels of each channel in order, whatever it does with others. */
int32_t split_pixels_together(const split_conv* conv, const int8_t* const* rows, const split_pixels* in,
                              const int8_t* output, const split_pixels* out, int channel_wise);

/* Not for Helium. Copies the window of output pixel x to `window`, padding included: `depth` channels from `channel` on. */
void split_gather_window(const split_conv* conv, const int8_t* const* rows, const split_pixels* in, int32_t x,
                         int32_t channel, int32_t depth, int8_t* window);

#endif /* SPLIT_NN_WINDOWS_H_ */
