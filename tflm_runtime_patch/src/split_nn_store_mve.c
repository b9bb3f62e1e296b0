#include "../split_nn/split_nn_store_mve.c"
