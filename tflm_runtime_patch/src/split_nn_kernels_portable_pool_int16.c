#include "../split_nn/kernels/portable/pool_int16.c"
