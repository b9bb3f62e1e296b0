#include "../split_nn/split_nn_conv_sum_dsp.c"
