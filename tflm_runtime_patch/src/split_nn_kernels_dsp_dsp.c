#include "../split_nn/kernels/dsp/dsp.c"
