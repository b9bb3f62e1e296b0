#include "../split_nn/kernels/dsp/conv.c"
