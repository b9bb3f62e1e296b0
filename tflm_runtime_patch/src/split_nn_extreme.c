#include "../split_nn/split_nn_extreme.c"
