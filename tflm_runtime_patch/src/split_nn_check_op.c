#include "../split_nn/split_nn_check_op.c"
