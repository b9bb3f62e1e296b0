#include "../split_nn/split_nn_depthwise_mve.c"
