#include "../split_nn/split_nn_run.c"
