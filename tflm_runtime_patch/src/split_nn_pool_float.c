#include "../split_nn/split_nn_pool_float.c"
