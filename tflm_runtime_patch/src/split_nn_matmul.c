#include "../split_nn/split_nn_matmul.c"
