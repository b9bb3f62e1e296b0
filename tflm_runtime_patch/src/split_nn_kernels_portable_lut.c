#include "../split_nn/kernels/portable/lut.c"
