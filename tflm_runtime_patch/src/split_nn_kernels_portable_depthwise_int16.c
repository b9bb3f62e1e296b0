#include "../split_nn/kernels/portable/depthwise_int16.c"
