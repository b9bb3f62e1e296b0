#include "../split_nn/kernels/portable/conv_sum.c"
