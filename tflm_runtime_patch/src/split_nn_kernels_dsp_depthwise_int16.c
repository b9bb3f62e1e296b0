#include "../split_nn/kernels/dsp/depthwise_int16.c"
