#include "../split_nn/split_nn_conv.c"
