#include "../split_nn/split_nn_dots_mve.c"
