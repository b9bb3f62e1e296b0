#include "../split_nn/kernels/portable/pool_float.c"
