#include "../split_nn/split_nn_sum_feed_mve.c"
