#include "../split_nn/split_nn_squared_difference.c"
