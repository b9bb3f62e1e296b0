#include "../split_nn/kernels/portable/conv.c"
