#include "../split_nn/kernels/dsp/depthwise.c"
