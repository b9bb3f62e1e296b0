#include "../split_nn/split_nn_depthwise_dsp.c"
