#include "../split_nn/kernels/dsp/conv_int16.c"
