#include "../split_nn/split_nn_dsp.c"
