#include "../split_nn/kernels/portable/transpose_conv_int16.c"
