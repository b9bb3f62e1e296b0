#include "../split_nn/split_nn_unary_int16.c"
