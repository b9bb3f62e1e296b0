#include "../split_nn/kernels/dsp/conv_sum.c"
