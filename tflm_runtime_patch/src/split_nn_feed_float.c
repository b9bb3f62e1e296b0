#include "../split_nn/split_nn_feed_float.c"
