#include "../split_nn/kernels/dsp/dense_feed.c"
