#include "../split_nn/split_nn_pad_mve.c"
