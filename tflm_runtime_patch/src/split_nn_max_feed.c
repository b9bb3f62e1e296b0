#include "../split_nn/split_nn_max_feed.c"
