#include "../split_nn/split_nn_feed_int16.c"
