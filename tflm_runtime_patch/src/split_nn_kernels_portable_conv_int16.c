#include "../split_nn/kernels/portable/conv_int16.c"
