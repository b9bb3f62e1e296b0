#include "../split_nn/kernels/portable/transpose.c"
