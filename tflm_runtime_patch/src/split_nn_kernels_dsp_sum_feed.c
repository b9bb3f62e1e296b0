#include "../split_nn/kernels/dsp/sum_feed.c"
