#include "../split_nn/split_nn_add_mve.c"
