#include "../split_nn/split_nn_pool_int16.c"
