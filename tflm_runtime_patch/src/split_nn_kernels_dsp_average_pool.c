#include "../split_nn/kernels/dsp/average_pool.c"
