#include "../split_nn/kernels/helium/depthwise_int16.c"
