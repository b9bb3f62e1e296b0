#include "../split_nn/split_nn_moves.c"
