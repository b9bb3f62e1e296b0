#include "../split_nn/kernels/portable/average_pool.c"
