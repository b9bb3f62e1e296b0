#include "../split_nn/split_nn_lut_mve.c"
