#include "../split_nn/split_nn_prelu.c"
