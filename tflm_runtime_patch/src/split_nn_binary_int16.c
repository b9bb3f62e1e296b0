#include "../split_nn/split_nn_binary_int16.c"
