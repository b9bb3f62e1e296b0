#include "../split_nn/split_nn_average_pool_mve.c"
