#include "../split_nn/split_nn_transpose_conv.c"
