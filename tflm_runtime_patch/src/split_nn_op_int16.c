#include "../split_nn/split_nn_op_int16.c"
