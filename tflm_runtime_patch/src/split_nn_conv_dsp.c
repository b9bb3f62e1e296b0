#include "../split_nn/split_nn_conv_dsp.c"
