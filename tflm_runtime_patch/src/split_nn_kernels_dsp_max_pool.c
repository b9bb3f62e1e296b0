#include "../split_nn/kernels/dsp/max_pool.c"
