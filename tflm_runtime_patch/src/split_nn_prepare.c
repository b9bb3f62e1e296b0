#include "../split_nn/split_nn_prepare.c"
