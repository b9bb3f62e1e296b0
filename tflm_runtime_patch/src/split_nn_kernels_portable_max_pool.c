#include "../split_nn/kernels/portable/max_pool.c"
