#include "../split_nn/kernels/portable/binary_int16.c"
