#include "../split_nn/split_nn_max_pool_mve.c"
