#include "../split_nn/kernels/dsp/matmul.c"
