#include "../split_nn/kernels/portable/unary_int16.c"
