#include "../split_nn/split_nn_depthwise.c"
