#include "../split_nn/split_nn_gather.c"
