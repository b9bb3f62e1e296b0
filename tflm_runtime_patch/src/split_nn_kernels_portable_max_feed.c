#include "../split_nn/kernels/portable/max_feed.c"
