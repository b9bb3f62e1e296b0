#include "../split_nn/kernels/dsp/add.c"
