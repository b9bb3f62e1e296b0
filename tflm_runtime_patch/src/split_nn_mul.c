#include "../split_nn/split_nn_mul.c"
