#include "../split_nn/split_nn_conv_int16.c"
