#include "../split_nn/split_nn_softmax_int16.c"
