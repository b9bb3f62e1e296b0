#include "../split_nn/kernels/helium/conv_int16.c"
