#include "../split_nn/ops/feed.c"
