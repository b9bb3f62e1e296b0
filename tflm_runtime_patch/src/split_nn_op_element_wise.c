#include "../split_nn/split_nn_op_element_wise.c"
