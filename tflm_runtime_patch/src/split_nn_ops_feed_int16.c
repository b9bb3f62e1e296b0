#include "../split_nn/ops/feed_int16.c"
