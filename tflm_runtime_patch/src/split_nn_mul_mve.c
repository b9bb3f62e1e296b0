#include "../split_nn/split_nn_mul_mve.c"
