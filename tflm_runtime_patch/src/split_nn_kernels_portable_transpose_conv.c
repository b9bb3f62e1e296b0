#include "../split_nn/kernels/portable/transpose_conv.c"
