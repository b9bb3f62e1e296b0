#include "../split_nn/ops/feed_float.c"
