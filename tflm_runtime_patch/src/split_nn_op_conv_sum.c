#include "../split_nn/split_nn_op_conv_sum.c"
