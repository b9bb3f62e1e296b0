#include "../split_nn/split_nn_op_pool.c"
