#include "../split_nn/split_nn_softmax.c"
