#include "../split_nn/split_nn_dense_feed_mve.c"
