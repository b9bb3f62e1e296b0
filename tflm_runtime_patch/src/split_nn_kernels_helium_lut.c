#include "../split_nn/kernels/helium/lut.c"
