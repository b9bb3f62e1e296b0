#include "../split_nn/kernels/helium/depthwise.c"
