#include "../split_nn/kernels/helium/max_pool.c"
