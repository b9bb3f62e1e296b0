/* SUM_FEED by mode MAXIMUM: the largest of each channel, fed row by row. Stack: below 60 bytes. */
#include "../fixed_point.h"
#include "../kernels.h"

void split_nn_max_feed_row(const int8_t* input, const split_pixels* in, int32_t* largest) {
    for (int32_t x = 0; x < in->columns; ++x) {
        const int8_t* pixel = input + x * in->stride;
        for (int32_t c = 0; c < in->channels; ++c) {
            if (pixel[c] > largest[c]) {
                largest[c] = pixel[c];
            }
        }
    }
}

void split_nn_max_feed_finish(int32_t min, int32_t max, const int32_t* largest, int32_t channels, int8_t* output) {
    for (int32_t c = 0; c < channels; ++c) {
        output[c] = (int8_t)split_clamp(largest[c], min, max);
    }
}
