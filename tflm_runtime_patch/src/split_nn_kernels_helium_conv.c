#include "../split_nn/kernels/helium/conv.c"
