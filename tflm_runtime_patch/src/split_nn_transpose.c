#include "../split_nn/split_nn_transpose.c"
