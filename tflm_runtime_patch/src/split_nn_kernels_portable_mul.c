#include "../split_nn/kernels/portable/mul.c"
