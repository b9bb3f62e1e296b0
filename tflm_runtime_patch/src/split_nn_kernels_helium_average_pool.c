#include "../split_nn/kernels/helium/average_pool.c"
