#include "../split_nn/kernels/portable/depthwise.c"
