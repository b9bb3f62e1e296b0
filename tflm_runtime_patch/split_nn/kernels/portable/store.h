/* The way from sums to int8 of many channels at once, for the portable kernels. */
#ifndef SPLIT_NN_PORTABLE_STORE_H_
#define SPLIT_NN_PORTABLE_STORE_H_

#include "../shared_int8.h"

/* Requantises the sums of `count` channels from `first` on and writes them to `output`. */
void split_store_channels(const split_requantization* to, int32_t first, const uint32_t* sums, int32_t count,
                          int8_t* output);

#endif /* SPLIT_NN_PORTABLE_STORE_H_ */
