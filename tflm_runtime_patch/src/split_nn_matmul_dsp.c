#include "../split_nn/split_nn_matmul_dsp.c"
