#include "../split_nn/kernels/portable/matmul.c"
