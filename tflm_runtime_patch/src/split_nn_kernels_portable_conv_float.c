#include "../split_nn/kernels/portable/conv_float.c"
