#include "../split_nn/split_nn_op_matmul.c"
