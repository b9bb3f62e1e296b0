#include "../split_nn/kernels/portable/sum_feed.c"
