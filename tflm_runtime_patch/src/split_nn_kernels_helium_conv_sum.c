#include "../split_nn/kernels/helium/conv_sum.c"
