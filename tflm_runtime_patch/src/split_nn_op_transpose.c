#include "../split_nn/split_nn_op_transpose.c"
