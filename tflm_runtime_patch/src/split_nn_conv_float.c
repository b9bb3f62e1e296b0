#include "../split_nn/split_nn_conv_float.c"
